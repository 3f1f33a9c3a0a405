"""What a function may call, followed through the names in its code: which of our classes and texts it reaches."""

import inspect
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_OURS = ("api.", "core.", "storage.")


def reached(starts: list[Any]) -> tuple[set[Any], set[str]]:
    """Return the functions and classes, and the texts (SQL among them), that these functions reach in our rooms.

    A name that is looked up in a module, or as an attribute of one of our modules, counts as called. What is
    handed over as a value at run time is not seen; routes hand on only functions that they name.
    """
    waiting, done = list(starts), set()
    found: set[Any] = set()
    texts: set[str] = set()
    while waiting:
        one = inspect.unwrap(waiting.pop()) if callable(waiting[-1]) else waiting.pop()
        if id(one) in done:
            continue
        done.add(id(one))
        match one:
            case FunctionType():
                found.add(one)
                waiting.extend(_named(one))
                texts.update(_texts(one.__code__))
            case type() if one.__module__.startswith(_OURS):
                found.add(one)
                waiting.extend(_methods(one))
            case str():
                texts.add(one)
            case tuple() | frozenset() | list():
                waiting.extend(one)
            case dict():
                waiting.extend(one.values())
    return found, texts


def _methods(kind: type) -> Iterator[Any]:
    for value in vars(kind).values():
        held = value.__func__ if isinstance(value, classmethod | staticmethod) else value
        held = held.fget if isinstance(held, property) else held
        if isinstance(held, FunctionType):
            yield held


def _named(function: FunctionType) -> Iterator[Any]:
    names = set(_names(function.__code__))
    for name in names:
        value = function.__globals__.get(name)
        if isinstance(value, ModuleType) and value.__name__.startswith(_OURS):
            yield from (getattr(value, inner) for inner in names if _ours(getattr(value, inner, None)))
        elif _ours(value) or isinstance(value, str | tuple | dict | frozenset | list):
            yield value


def _ours(value: object) -> bool:
    module = getattr(inspect.unwrap(value) if isinstance(value, FunctionType) else value, "__module__", None)
    return isinstance(value, FunctionType | type) and isinstance(module, str) and module.startswith(_OURS)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _texts(code: CodeType) -> Iterator[str]:
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _texts(constant)
