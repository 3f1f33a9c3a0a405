"""The processes of a demo: started in order, watched, stopped in reverse, none left behind."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from core.errors import SojournError

_STOP_S: Final = 15.0
"""Time to stop cleanly before SIGKILL; the API takes two seconds, ingest one commit."""
_DISPOSABLE_STOP_S: Final = 2.0
"""Time for a process whose work goes away with the demo."""
_TAIL_LINES: Final = 15
_TAIL_BYTES: Final = 16_384


class ChildDiedError(SojournError):
    """A process of the demo ended by itself; `tail` is the end of its log."""

    def __init__(self, name: str, code: int, tail: str) -> None:
        super().__init__(f"`sojourn {name}` ended by itself (exit code {code}).", hint="The end of its log:")
        self.tail = tail


@dataclass
class _Child:
    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_s: float


class Processes:
    """Runs `sojourn …` commands with their output in files.

    Parameters
    ----------
    logs : Path
        Folder for the logs, one a process.
    environment : mapping of str to str
        Added to ours; secrets go here, because arguments can be read by everybody on the machine.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str]) -> None:
        self._logs = logs
        self._environment = {**os.environ, **environment}
        self._children: list[_Child] = []

    def start(self, name: str, *arguments: str, disposable: bool = False) -> None:
        """Start `sojourn name arguments…`; a disposable one gets no time to finish its work when all is over."""
        # the kernel stops it if we are killed
        leash = ["setpriv", "--pdeathsig", "KILL" if disposable else "TERM"]
        log = self._logs / f"{name}.log"
        with log.open("ab") as output:
            process = subprocess.Popen(  # noqa: S603  # our own program with arguments of our own
                [
                    *(leash if shutil.which("setpriv") is not None else []),
                    sys.executable,
                    "-m",
                    "sojourn",
                    name,
                    *arguments,
                ],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is for us; they are stopped in order
            )
        self._children.append(_Child(name, process, log, _DISPOSABLE_STOP_S if disposable else _STOP_S))

    def run(self, name: str, *arguments: str) -> None:
        """Run `sojourn name arguments…` to its end.

        Raises
        ------
        ChildDiedError
            If it fails.
        """
        self.start(name, *arguments)
        child = self._children[-1]
        code = child.process.wait()
        self._children.remove(child)
        if code:
            raise ChildDiedError(name, code, _tail(child.log))

    def check(self) -> None:
        """Raise if a process ended by itself.

        Raises
        ------
        ChildDiedError
            With the end of its log.
        """
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ChildDiedError(child.name, code, _tail(child.log))

    def tails(self) -> str:
        """Return the end of each process's log."""
        return "\n".join(f"── {child.name} ──\n{_tail(child.log)}" for child in self._children)

    def stop(self, name: str, within_s: float) -> int:
        """Ask a process to stop, wait, and return its exit code; kill it if it takes too long."""
        child = next(child for child in self._children if child.name == name)
        self._children.remove(child)
        return _stop(child, within_s)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for child in reversed(self._children):
            _stop(child, child.stop_s)
        self._children.clear()


def _stop(child: _Child, within_s: float) -> int:
    if child.process.poll() is None:
        child.process.terminate()
    try:
        return child.process.wait(within_s)
    except subprocess.TimeoutExpired:
        os.killpg(child.process.pid, signal.SIGKILL)
        return child.process.wait()


def _tail(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
        lines = file.read().decode(errors="replace").splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
