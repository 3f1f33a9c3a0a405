"""Make one of the project's own environments: `python3 -m servers.bootstrap KIND` in the project's top folder.

Standard library only (it runs before anything is installed), with the machine's Python. Works on a fresh Debian that
has `python3` but neither `python3-venv` nor pip: pip then comes from Debian's own wheel, in a private apt folder.
"""

import hashlib
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from servers.archives import fetch_from_host
from servers.debian import require_tools
from servers.errors import MachineError, ServersError
from servers.home import locked, require_space
from servers.unpack import unpack

_OLDEST: Final = (3, 11)
_NEWEST: Final = (3, 13)

NEEDED_BYTES: Final = 1_200_000_000
"""Measured: 570 MB for the service, 870 MB with the tools of tests and checks; pip unpacks beside it."""

_LOCKS: Final = {
    "runtime": ("runtime.lock",),
    "dev": ("runtime.lock", "dev.lock"),
    "bench": ("runtime.lock", "bench.lock"),
    "security": ("security.lock",),
}
_FOLDERS: Final = {"runtime": ".venv", "dev": ".venv", "bench": ".cache/bench", "security": ".cache/security"}
"""The benchmark's peers stay apart: they bring 60 packages, and one of them a top-level `benchmarks` of its own."""
_WHEELS: Final = Path("usr/share/python-wheels")
_ASK_FOR_VENV: Final = "Install it: `sudo apt install python3-venv`, then start again."


def set_up(top: Path, kind: str) -> None:
    """Make `.venv` (bench: a folder in `.cache`) hold exactly the locked packages, and the project itself.

    Parameters
    ----------
    top : Path
        The project's top folder.
    kind : {"runtime", "dev", "bench", "security"}
        Which lock file.

    Raises
    ------
    ServersError
        Something of the machine is missing; the message says what to do.
    """
    venv = top / _FOLDERS[kind]
    if venv.is_symlink():  # somebody's own environment, shared between checkouts: theirs to fill
        return
    stamp = venv / f".sojourn-{kind}"
    wanted = _fingerprint(top, kind)
    if _is_current(venv, stamp, wanted):
        return
    _check_python()
    with locked(top, on_wait=lambda: _say("Waiting for another set-up in this folder …")):
        if _is_current(venv, stamp, wanted):
            return
        started = time.monotonic()
        require_space(top, NEEDED_BYTES, "The environment")
        for old in venv.glob(".sojourn-*"):
            old.unlink()
        _make_venv(venv)
        lock = _LOCKS[kind][-1]
        _install(venv, ["--require-hashes", "--only-binary", ":all:", "-r", str(top / "requirements" / lock)], lock)
        if kind != "security":  # it looks at lock files, not at the project
            _install(venv, ["--no-deps", "--no-build-isolation", "--editable", str(top)], "the project")
        stamp.write_text(wanted)
        if kind == "dev":  # it holds the other one's packages in the same versions
            (venv / ".sojourn-runtime").write_text(_fingerprint(top, "runtime"))
        _say(f"Environment ready in {venv.relative_to(top)} ({time.monotonic() - started:.0f} s).")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _check_python() -> None:
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        raise MachineError(
            f"Sojourn needs Python {_span()}, and {sys.executable} is {sys.version.split()[0]}.",
            hint="Install a newer one (`sudo apt install python3.11`), or name it: `make PYTHON=/path/to/python3`.",
        )


def _span() -> str:
    return f"{'.'.join(map(str, _OLDEST))} to {'.'.join(map(str, _NEWEST))}"


def _fingerprint(top: Path, kind: str) -> str:
    digest = hashlib.sha256(f"{top}\n{sys.version_info[:2]}\n".encode())
    for name in (*(f"requirements/{lock}" for lock in _LOCKS[kind]), "pyproject.toml"):
        digest.update((top / name).read_bytes())
    return digest.hexdigest()


def _is_current(venv: Path, stamp: Path, wanted: str) -> bool:
    try:
        # the link to the machine's Python breaks when the machine gets a newer one
        return stamp.read_text() == wanted and (venv / "bin/python").exists() and (venv / "bin/sojourn").exists()
    except OSError:
        return False


def _make_venv(venv: Path) -> None:
    if _works(venv):
        return
    _say("Making the environment …")
    if importlib.util.find_spec("venv") is None:
        raise MachineError("This Python cannot make environments (it has no venv).", hint=_ASK_FOR_VENV)
    if importlib.util.find_spec("ensurepip") is not None:
        _run([sys.executable, "-m", "venv", "--clear", str(venv)], "Making the environment")
        return
    _run([sys.executable, "-m", "venv", "--clear", "--without-pip", str(venv)], "Making the environment")
    with tempfile.TemporaryDirectory(prefix="sojourn-pip-") as work:
        for wheel in _pip_wheel(Path(work)):
            # a wheel is a zip file that Python can run; pip installs itself
            install = [str(venv / "bin/python"), str(wheel / "pip"), "install", "--quiet", "--no-index", str(wheel)]
            _run(install, "Installing pip")


def _works(venv: Path) -> bool:
    """Say whether an environment is of this Python and has pip."""
    python = venv / "bin/python"
    if not python.exists():
        return False
    code = f"import sys, pip; sys.exit(sys.version_info[:2] != {sys.version_info[:2]!r})"
    return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0


def _pip_wheel(work: Path) -> Iterator[Path]:
    """Give pip's wheel: the machine's own, or from Debian's package of it."""
    there = sorted(Path("/", _WHEELS).glob("pip-*.whl"))
    if not there:
        try:
            require_tools("apt-get", "dpkg-deb", "tar")
            _say("Fetching pip from the machine's package archive …")
            for package in fetch_from_host(work, ["python3-pip-whl"]):
                unpack(package, work / "root")
        except ServersError as error:
            raise MachineError("This Python has no pip.", hint=f"{_ASK_FOR_VENV} ({error.what})") from error
        there = sorted((work / "root" / _WHEELS).glob("pip-*.whl"))
    if not there:
        raise MachineError("This Python has no pip.", hint=_ASK_FOR_VENV)
    yield there[-1]


def _install(venv: Path, arguments: list[str], what: str) -> None:
    pip = [str(venv / "bin/python"), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    limits = ["--retries", "2", "--timeout", "30"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with (
        tempfile.TemporaryFile("w+") as complaints,
        subprocess.Popen(
            [*pip, *limits, "--progress-bar", "off", *arguments],
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=environment,
        ) as run,
    ):
        if run.stdout is None:  # cannot be: it was asked for
            raise RuntimeError("pip was started without a pipe")
        _show_pip(run.stdout, what)
        run.wait()
        complaints.seek(0)
        text = complaints.read()
    if run.returncode != 0:
        raise _explain(what, text)


def _show_pip(lines: Iterator[str], what: str) -> None:
    """Turn pip's many lines into one: on a terminal it counts, elsewhere it stands once."""
    terminal = sys.stderr.isatty()
    if not terminal:
        _say(f"Installing {what} …")
    count = 0
    for line in lines:
        if match := re.match(r"(Collecting|Requirement already satisfied:) ([\w.-]+)", line):
            count += 1
            now = f"fetching {count}: {match.group(2)}"
        elif line.startswith("Installing collected packages"):
            now = f"unpacking {count} packages"
        else:
            continue
        if terminal:
            sys.stderr.write(f"\r\033[KInstalling {what}: {now}")
            sys.stderr.flush()
    if terminal:
        sys.stderr.write("\r\033[K")


def _explain(what: str, text: str) -> ServersError:
    cause = RuntimeError(text.strip())
    if re.search(r"No space left", text):
        error = MachineError(f"The disk filled up while {what} was installed.", hint="Free about 1.2 GB.")
    elif re.search(r"DO NOT MATCH THE HASHES", text):
        error = MachineError(
            f"A package of {what} is not the one that was locked.",
            hint="Do not go on: something between you and the package index changed it.",
        )
    elif re.search(
        r"connection|timed out|Temporary failure|Name or service|proxy|SSL|from versions: none", text, re.IGNORECASE
    ):
        error = MachineError(
            f"The Python package index cannot be reached, so {what} could not be installed.",
            hint="Check the network, the proxy, or pip's own settings (PIP_INDEX_URL), then start again.",
        )
    else:
        last = next((line for line in reversed(text.splitlines()) if "rror" in line), "see above")
        error = MachineError(f"pip could not install {what}: {last.strip()}", hint="")
    error.__cause__ = cause
    return error


def _run(command: list[str], what: str) -> None:
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    if run.returncode != 0:
        text = (run.stderr.strip() or run.stdout.strip()).splitlines()
        raise MachineError(f"{what} failed: {text[-1] if text else command[0]}", hint=_ASK_FOR_VENV)


def main(arguments: list[str]) -> int:
    """Run the set-up; return the exit code."""
    kind = arguments[0] if arguments else "runtime"
    if kind not in _LOCKS:
        _say("usage: python3 -m servers.bootstrap [runtime|dev|bench]")
        return 2
    try:
        set_up(Path.cwd(), kind)
    except ServersError as error:
        _say(str(error))
        return 1
    except KeyboardInterrupt:
        _say("Stopped; the next start goes on from here.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
