"""MODEL files: the calibrations of all stores of a floor plan in one file."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

from core.dwell import model
from core.dwell.model import Model
from core.errors import ModelError
from core.floorplan import FloorPlan
from simulators.recordings.rows import UNWRITTEN

_VERSION: Final = 1
_MAKE: Final = "Make one with `sojourn calibrate RECORDING --floorplan PLAN --out MODEL`."


class _Models(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file: a MessagePack map."""

    sojourn_models: int  # version of this form
    stores: dict[str, bytes]  # as core.dwell.model.dump wrote them


def write_models(models: Mapping[str, Model], path: Path) -> None:
    """Write the models of some stores by store id; the file is there as a whole or not at all."""
    packed = msgspec.msgpack.encode(_Models(_VERSION, {id_: model.dump(models[id_]) for id_ in sorted(models)}))
    begun = path.with_name(f".{path.name}.part")
    try:
        begun.write_bytes(packed)
        begun.replace(path)
    except OSError as error:
        begun.unlink(missing_ok=True)
        raise ModelError(
            f"The model cannot be written: {error.strerror}.", hint=UNWRITTEN, where=str(path)
        ) from error


def read_models(path: Path, plan: FloorPlan) -> dict[str, Model]:
    """Read the models of all stores of a plan.

    Raises
    ------
    ModelError
        If the file is no model, lacks a store of the plan, is of another version, or was made for another floor plan.
    """
    stores = read_stores(path)
    missing = [store.id for store in plan.stores if store.id not in stores]
    if missing:
        raise ModelError(f"The model has no store {missing[0]!r}.", hint="Calibrate with this plan.", where=str(path))
    try:
        return {store.id: model.load(stores[store.id], store) for store in plan.stores}
    except ModelError as error:
        raise ModelError(error.what, hint=error.hint, where=str(path)) from error


def read_stores(path: Path) -> dict[str, bytes]:
    """Read the models of a file by store id, each as `core.dwell.model.dump` wrote it; plans are not asked yet.

    Raises
    ------
    ModelError
        If the file cannot be read or is no model.
    """
    try:
        packed = msgspec.msgpack.decode(path.read_bytes(), type=_Models)
    except OSError as error:
        raise ModelError(f"The model cannot be read: {error.strerror}.", hint=_MAKE, where=str(path)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelError(
            "This is not a model.",
            hint=_MAKE,
            where=str(path),
        ) from error
    if packed.sojourn_models != _VERSION:
        raise ModelError(
            f"The model is of version {packed.sojourn_models}, version {_VERSION} is read here.",
            hint="Calibrate anew.",
            where=str(path),
        )
    return packed.stores
