"""A private apt root: fetch packages of any Debian suite without touching the machine's own apt.

Nothing is installed: apt's lists, caches and state live in one folder that is deleted afterwards.
Standard library only: the set-up runs this before any dependency is there.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TypeAlias

from servers.errors import OWN_SERVERS, FetchError

Progress: TypeAlias = Callable[[str, float], None]
"""Told what is being done, and how much of it is done (0..1)."""

_NETWORK_TIMEOUT_S: Final = 20
"""A mirror that says nothing for so long is away; apt's own default is 30 s with up to 3 tries for each address."""

_CONFIGURATION: Final = """\
Dir::State "{folder}/state";
Dir::State::Lists "{folder}/lists";
Dir::State::Status "{folder}/status";
Dir::Cache "{folder}/cache";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "{folder}/preferences";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "{timeout}";
Acquire::https::Timeout "{timeout}";
APT::Sandbox::User "";
"""

# one archive, and without it there is no point in going on; the machine's own archives may fail in part
_OWN_SOURCES: Final = """\
Dir::Etc::SourceList "/dev/null";
Dir::Etc::SourceParts "{folder}/sources";
APT::Update::Error-Mode "any";
"""


def quiet(_what: str, _done: float) -> None:
    """Show nothing: the `Progress` of tests."""


class AptRoot:
    """apt with its own folder.

    Parameters
    ----------
    folder : Path
        A folder that is not there yet; the caller deletes it.
    mirror : str, optional
        Address of the archive. Without it: the machine's own archives.
    suite : str
        Release, e.g. `trixie`; with `mirror`.
    signed_by : Path, optional
        Keyring that must have signed the archive; with `mirror`.
    """

    def __init__(
        self, folder: Path, *, mirror: str | None = None, suite: str = "", signed_by: Path | None = None
    ) -> None:
        self._folder = folder
        self._mirror = mirror if mirror is not None else "the machine's own apt sources"
        for name in ("state", "lists/partial", "cache/archives/partial", "sources", "preferences"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        configuration = _CONFIGURATION.format(folder=folder, timeout=_NETWORK_TIMEOUT_S)
        if mirror is not None:
            configuration += _OWN_SOURCES.format(folder=folder)
            (folder / "sources" / "archive.sources").write_text(
                f"Types: deb\nURIs: {mirror}\nSuites: {suite}\nComponents: main\nSigned-By: {signed_by}\n"
            )
        (folder / "apt.conf").write_text(configuration)

    def update(self, progress: Progress = quiet) -> None:
        """Fetch the archive's index and check its signature.

        Raises
        ------
        FetchError
            The archive cannot be reached, or is not signed by the keyring.
        """
        self._run(["update"], self._folder, "Reading the package index", progress)

    def download(self, packages: Iterable[str], into: Path, progress: Progress = quiet) -> list[Path]:
        """Fetch packages (apt checks each against the signed index).

        Parameters
        ----------
        packages : iterable of str
            Package names.
        into : Path
            Folder for the package files; made if needed.
        progress : Progress

        Returns
        -------
        list of Path
            The package files, in order of name.

        Raises
        ------
        FetchError
            A package is not in the archive or cannot be fetched.
        """
        into.mkdir(parents=True, exist_ok=True)
        self._run(["download", *packages], into, "Fetching packages", progress)
        return sorted(into.glob("*.deb"))

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "APT_CONFIG": str(self._folder / "apt.conf"), "LC_ALL": "C.UTF-8"}

    def _run(self, arguments: list[str], folder: Path, what: str, progress: Progress) -> None:
        code, text = run_apt(arguments, folder, self._environment(), what, progress)
        if code != 0:
            raise _explain(self._mirror, arguments, text)


def run_apt(
    arguments: list[str], folder: Path, environment: dict[str, str], what: str, progress: Progress
) -> tuple[int, str]:
    """Run apt-get and pass on how far it is.

    Parameters
    ----------
    arguments : list of str
        After `apt-get`.
    folder : Path
        Working folder.
    environment : dict of str to str
        Process environment.
    what : str
        What `progress` is told.
    progress : Progress

    Returns
    -------
    tuple of int and str
        Exit code, and what apt complained about.
    """
    # apt must not outlive us: a killed start would leave it writing into a folder that the next one sweeps
    leash = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    command = [*leash, "apt-get", "-qq", "-o", "APT::Status-Fd=1", *arguments]
    progress(what, 0.0)
    with tempfile.TemporaryFile("w+") as complaints:
        with subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
        ) as apt:
            if apt.stdout is None:  # cannot be: it was asked for
                raise RuntimeError("apt-get was started without a pipe")
            for line in apt.stdout:
                if match := re.match(r"(?:dl|pm)status:[^:]*:([\d.]+):", line):
                    progress(what, float(match.group(1)) / 100)
        complaints.seek(0)
        return apt.returncode, complaints.read()


def _explain(mirror: str, arguments: list[str], text: str) -> FetchError:
    """Turn apt's words into one sentence; its own words follow in the chain of causes."""
    cause = RuntimeError(text.strip())
    if re.search(r"NO_PUBKEY|not signed|EXPKEYSIG|BADSIG|signature", text, re.IGNORECASE):
        what = f"The package archive at {mirror} is not signed by Debian's keys on this machine."
        hint = f"Update debian-archive-keyring, or name another mirror in SOJOURN_DEBIAN_MIRROR. {OWN_SERVERS}"
    elif match := re.search(r"Unable to locate package (\S+)|Can't find .* package (\S+)", text):
        what = f"The package archive at {mirror} does not carry {match.group(1) or match.group(2)}."
        hint = f"Name another mirror in SOJOURN_DEBIAN_MIRROR. {OWN_SERVERS}"
    elif re.search(r"Hash Sum mismatch|unexpected size", text, re.IGNORECASE):
        what = f"What arrived from the package archive at {mirror} is damaged."
        hint = f"Start again; if it stays so, name another mirror in SOJOURN_DEBIAN_MIRROR. {OWN_SERVERS}"
    elif re.search(r"No space left|not enough free space", text, re.IGNORECASE):
        what = "The disk filled up while packages were fetched."
        hint = "Free some space, or set SOJOURN_HOME to a folder on a larger disk."
    else:
        what = f"The package archive at {mirror} cannot be reached (apt-get {arguments[0]} failed)."
        hint = f"Check the network and the proxy. {OWN_SERVERS}"
    error = FetchError(what, hint=hint)
    error.__cause__ = cause
    return error
