"""The guard of one server: a small process between whoever started a server and the server itself.

It ends the server when the starter ends (even by SIGKILL), waits for every process the server has left, and takes
away what a killed server leaves behind. If the guard itself is killed, the kernel ends the server (see
`servers.process`).

Run as a script, standard library only; one argument, a JSON object with the fields of `Watch`. Prints the server's
process id as its first line, exits with the server's exit code.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_IPC_RMID = 0
_POLL_S = 0.5  # only where the kernel has no pidfd (before 5.3)
_ORPHANS_S = 10.0  # PostgreSQL's own processes notice within milliseconds that their postmaster is gone


@dataclass(frozen=True, slots=True)
class Watch:
    """What to run and how to end it.

    Attributes
    ----------
    command : list of str
        The server.
    starter : int
        Process id of whoever asked; the guard is its child.
    log : str
        File that takes the server's output; appended to.
    stop_signal : int
        Asks the server to stop.
    grace_s : float
        How long it may take before SIGKILL.
    pid_file : str
        PostgreSQL's `postmaster.pid`, or empty: cleaned up if the server did not do it itself.
    """

    command: list[str]
    starter: int
    log: str
    stop_signal: int
    grace_s: float
    pid_file: str


def _spawn(watch: Watch) -> int:
    server = os.fork()
    if server:
        return server
    try:
        os.setsid()
        log = os.open(watch.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.execvp(watch.command[0], watch.command)  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"{watch.command[0]}: {error.strerror}\n".encode())
    os._exit(127)


def _pidfd(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _await_end(watch: Watch, server: int, wakeup: int) -> None:
    """Return when the server has ended, the starter has ended, or somebody asks the guard to stop."""
    poll = select.poll()
    poll.register(wakeup, select.POLLIN)
    watched = [_pidfd(watch.starter), _pidfd(server)]
    for descriptor in watched:
        if descriptor is not None:
            poll.register(descriptor, select.POLLIN)
    timeout_ms = None if None not in watched else _POLL_S * 1000
    while os.getppid() == watch.starter and not _ended(server):
        if any(events & select.POLLIN for _descriptor, events in poll.poll(timeout_ms)):
            return


def _ended(server: int) -> bool:
    return os.waitid(os.P_PID, server, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _end(server: int, watch: Watch) -> int:
    """Stop the server, by force if it must be, and return its exit code."""
    deadline = time.monotonic() + watch.grace_s
    with contextlib.suppress(ProcessLookupError):
        if not _ended(server):
            os.kill(server, watch.stop_signal)
    while not _ended(server):
        if time.monotonic() > deadline:
            os.kill(server, signal.SIGKILL)
            break
        time.sleep(0.01)
    _pid, status = os.waitpid(server, 0)
    return os.waitstatus_to_exitcode(status)


def _reap_orphans() -> None:
    """Wait for what the server left running (the guard adopts it), then end it by force."""
    deadline = time.monotonic() + _ORPHANS_S
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if time.monotonic() > deadline:
                for orphan in _children():
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(orphan, signal.SIGKILL)
            time.sleep(0.01)


def _children() -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                parent = entry.joinpath("stat").read_text().rpartition(")")[2].split()[1]
                if int(parent) == os.getpid():
                    found.append(int(entry.name))
    return found


def clean_up(pid_file: Path) -> None:
    """Take away what a killed postmaster leaves: its lock file and its System V shared memory.

    PostgreSQL would do so at its next start, but a data folder may never see one. The caller knows that no process of
    that server is left.
    """
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return
    with contextlib.suppress(IndexError, ValueError, OSError):
        segment = int(lines[6].split()[1])
        ctypes.CDLL(None, use_errno=True).shmctl(segment, _IPC_RMID, None)
    pid_file.unlink(missing_ok=True)


def main(argument: str) -> int:
    """Guard one server; see the module's text."""
    watch = Watch(**json.loads(argument))
    wakeup, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: None)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = _spawn(watch)
    with contextlib.suppress(BrokenPipeError):
        os.write(1, f"{server}\n".encode())
    _await_end(watch, server, wakeup)
    code = _end(server, watch)
    _reap_orphans()
    if watch.pid_file:
        clean_up(Path(watch.pid_file))
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
