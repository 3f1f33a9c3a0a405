"""Start a server so that it never outlives whoever started it."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

from tenacity import (
    RetryError,
    Retrying,
    retry_if_exception_type,
    retry_if_result,
    stop_after_attempt,
    stop_after_delay,
    wait_fixed,
)

from servers.errors import MachineError, PortTaken, RunError
from servers.guard import Watch
from servers.home import lock_folder
from servers.identity import server_identity

HOST: Final = "127.0.0.1"

_PORTS: Final = range(18000, 32000)
"""Below the kernel's own range for outgoing connections (32768 up): a client that keeps trying a closed port of that
range on loopback can be connected to itself, and then holds the port."""

_READY_POLL_S: Final = 0.02

_START_ATTEMPTS: Final = 3
"""A port that was free a moment ago can be gone; three times in a row it is not chance."""

_BUSY_S: Final = 20.0
"""A guard whose starter was killed needs a checkpoint's time to stop its server; then the folder is free."""


def free_port() -> int:
    """Return a port on loopback that nobody listens on right now."""
    for port in random.sample(_PORTS, len(_PORTS)):
        if port_is_free(port):
            return port
    raise MachineError(f"Every port from {_PORTS.start} to {_PORTS.stop - 1} on {HOST} is taken.")


def port_is_free(port: int) -> bool:
    """Say whether a server could listen on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT is no obstacle
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


def start_on_free_port(start: Callable[[int], None]) -> int:
    """Start a server on a free port, on another one if somebody takes it in the last moment; return the port.

    Parameters
    ----------
    start : callable
        Starts the server on the port it is given.

    Raises
    ------
    PortTaken
        Every attempt met somebody.
    """
    retrying = Retrying(
        stop=stop_after_attempt(_START_ATTEMPTS), retry=retry_if_exception_type(PortTaken), reraise=True
    )

    def attempt() -> int:
        port = free_port()
        start(port)
        return port

    return retrying(attempt)


def port_taken(server: str, port: int, variable: str) -> PortTaken:
    """Return the error for a port that somebody else listens on."""
    return PortTaken(
        f"Port {port} on {HOST}, meant for {server}, is taken by another program.",
        hint=f"Stop that program, choose another port, or use the server that is there: set {variable}.",
    )


class GuardedProcess:
    """A server process with its guard.

    Parameters
    ----------
    name : str
        What to call it in messages.
    command : sequence of str
        The server, in the foreground.
    lock : int
        Descriptor of the lock on the server's folder (`hold`): the server and its guard keep it as long as they live.
    log : Path
        Takes the server's output.
    stop_signal : signal.Signals
        Asks the server to stop cleanly.
    orphan_signal : str
        Sent by the kernel if the guard is killed (there is nobody left who could wait): name without SIG.
    grace_s : float
        How long stopping may take.
    pid_file : Path, optional
        PostgreSQL's lock file.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        lock: int,
        log: Path,
        stop_signal: signal.Signals,
        orphan_signal: str,
        grace_s: float,
        pid_file: Path | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._log_start = log.stat().st_size if log.exists() else 0
        self._grace_s = grace_s
        identity = server_identity()
        # the last step of becoming somebody else clears the leash, so setpriv comes after it
        leash = ("setpriv", "--pdeathsig", orphan_signal)
        watch = Watch(
            command=[*identity.prefix, *leash, *(str(word) for word in command)],
            starter=os.getpid(),
            log=str(log),
            stop_signal=int(stop_signal),
            grace_s=grace_s,
            pid_file=str(pid_file) if pid_file is not None else "",
        )
        self._guard = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(__file__).with_name("guard.py")), json.dumps(asdict(watch))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in a terminal is for us; we stop the servers in order
            pass_fds=(lock,),
            text=True,
        )
        if self._guard.stdout is None:  # cannot be: it was asked for
            raise RuntimeError("the guard was started without a pipe")
        with self._guard.stdout as pipe:
            first_line = pipe.readline()
        if not first_line:
            self._guard.wait()
            raise RunError(f"{name} could not be started.")
        self.pid = int(first_line)

    @property
    def running(self) -> bool:
        """Whether the guard, and so the server, is still there."""
        return self._guard.poll() is None

    def output(self) -> str:
        """Return what the server has written since this start."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self._log_start)
            return file.read().decode(errors="replace")

    def await_ready(self, ready: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the server answers.

        Raises
        ------
        RunError
            It ended by itself, or is not ready in time; it is stopped then.
        """
        retrying = Retrying(
            stop=stop_after_delay(timeout_s),
            wait=wait_fixed(_READY_POLL_S),
            retry=retry_if_result(lambda done: not done),
        )
        try:
            retrying(lambda: ready() or not self.running)
        except RetryError as error:
            self.stop()
            raise RunError(f"{self.name} was not ready within {timeout_s:.0f} s; its log is {self.log}.") from error
        except BaseException:
            self.stop()
            raise
        if not self.running:
            raise RunError(f"{self.name} stopped right after its start; its log is {self.log}.")

    def stop(self) -> None:
        """Stop cleanly and wait until nothing of the server is left."""
        if self.running:
            self._guard.terminate()
        self._wait()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as a crash would, and wait until nothing of it is left."""
        if self.running:
            os.kill(self.pid, signal.SIGKILL)
        self._wait()

    def _wait(self) -> None:
        try:
            self._guard.wait(timeout=self._grace_s + 15)  # the guard itself ends what is left after 10 s
        except subprocess.TimeoutExpired:
            self._guard.kill()
            self._guard.wait()


@contextlib.contextmanager
def hold(name: str, folder: Path) -> Iterator[int]:
    """Make a server's folder and hold its lock; a server whose starter has just been killed gets time to finish.

    Parameters
    ----------
    name : str
        The server, for messages.
    folder : Path
        Made if needed.

    Yields
    ------
    int
        The lock's descriptor. Whatever process it was passed on to keeps the lock.

    Raises
    ------
    RunError
        A server runs on the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    retrying = Retrying(
        stop=stop_after_delay(_BUSY_S), wait=wait_fixed(0.1), retry=retry_if_exception_type(BlockingIOError)
    )
    try:
        lock = retrying(lock_folder, folder)
    except RetryError as error:
        raise RunError(
            f"Another {name} runs on the data folder {folder}.", hint="Stop it first, or choose another folder."
        ) from error
    try:
        yield lock
    finally:
        os.close(lock)
