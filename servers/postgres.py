"""A private PostgreSQL with TimescaleDB on loopback."""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Final, Self
from urllib.parse import quote

from servers.errors import MachineError, RunError
from servers.guard import clean_up
from servers.identity import own, server_identity
from servers.process import HOST, GuardedProcess, hold, port_is_free, port_taken, start_on_free_port
from servers.provide import Installed

_USER: Final = "postgres"
_ZONEINFO: Final = Path("/usr/share/zoneinfo")
_SCRATCH: Final = "initdb-"
_STOP_S: Final = 30.0
"""A fast shutdown writes one checkpoint; 30 s is 3 GB of dirty buffers on a slow disk, and we have 128 MB."""

_SETTINGS: Final = MappingProxyType(
    {
        "listen_addresses": HOST,
        "unix_socket_directories": "",  # TCP only: no socket file to leave behind, no 107 bytes of path to run out of
        "shared_preload_libraries": "timescaledb",
        "timescaledb.telemetry_level": "off",
        # inside the data folder: /dev/shm has 64 MB in a container, and what is in it outlives SIGKILL
        "dynamic_shared_memory_type": "mmap",
        "jit": "off",  # its LLVM is not brought along
        "max_worker_processes": "24",  # 16 TimescaleDB background workers, 8 parallel ones
        "log_timezone": "UTC",
        "timezone": "UTC",
    }
)


class Postgres:
    """One PostgreSQL server with TimescaleDB, its data folder and its password.

    It stops when the process that started it ends, in whatever way. Durable: `fsync` and `synchronous_commit` stay
    on, so a commit that was answered survives `kill` and a power cut.

    Parameters
    ----------
    installed : Installed
        From `servers.provide.provide`.
    folder : Path
        Holds `data`, `password` and `log`; made by the first start, used again by later ones.
    port : int
        Loopback port; 0 chooses a free one at the first start and keeps it for this object.
    sync_initdb : bool
        False skips the fsync of the freshly made data folder (tests: 1 s faster on a slow disk). Running servers
        always sync.
    settings : mapping of str to str
        Further server settings.
    """

    def __init__(
        self,
        installed: Installed,
        folder: Path,
        *,
        port: int = 0,
        sync_initdb: bool = True,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._installed = installed
        self.folder = folder.absolute()
        self._port = port
        self._sync_initdb = sync_initdb
        self._settings = {**_SETTINGS, **settings}
        self._process: GuardedProcess | None = None

    @property
    def data(self) -> Path:
        """PostgreSQL's own data folder."""
        return self.folder / "data"

    @property
    def log(self) -> Path:
        """What the server says; kept over restarts."""
        return self.folder / "log"

    @property
    def port(self) -> int:
        """The loopback port; 0 before the first start if none was asked for."""
        return self._port

    @property
    def running(self) -> bool:
        """Whether the server is up."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        if self._process is None:
            raise RunError("PostgreSQL has not been started.", hint="")
        return self._process.pid

    def dsn(self, database: str = "postgres") -> str:
        """Return the address of a database, with user and password."""
        password = (self.folder / "password").read_text().strip()
        return f"postgresql://{_USER}:{quote(password)}@{HOST}:{self._port}/{quote(database)}"

    def start(self, timeout_s: float = 60.0) -> None:
        """Make the data folder if it is new, start, and return when connections are taken.

        Raises
        ------
        PortTaken
            Somebody else listens on the port.
        RunError
            The server does not start; the message names its log.
        """
        if self.running:
            return
        if not _ZONEINFO.is_dir():
            raise MachineError("This machine has no time zone data.", hint="Install it: `sudo apt install tzdata`.")
        with hold("PostgreSQL", self.folder) as lock:
            if not (self.data / "PG_VERSION").exists() or not (self.folder / "password").exists():
                self._initdb()
            own(self.data, server_identity())
            clean_up(self.data / "postmaster.pid")  # under the lock: whoever it names is not ours, and not running
            if self._port:
                self._start(lock, self._port, timeout_s)
            else:  # kept from then on: whoever was given the address finds it again after a restart
                self._port = start_on_free_port(lambda port: self._start(lock, port, timeout_s))

    def _start(self, lock: int, port: int, timeout_s: float) -> None:
        if not port_is_free(port):
            raise port_taken("PostgreSQL", port, "SOJOURN_DATABASE_URL")
        pid_file = self.data / "postmaster.pid"
        options = [word for key, value in self._settings.items() for word in ("-c", f"{key}={value}")]
        self._process = GuardedProcess(
            "PostgreSQL",
            [self._installed.postgres, "-D", self.data, "-p", str(port), *options],
            lock=lock,
            log=self.log,
            stop_signal=signal.SIGINT,  # fast shutdown: ends sessions, writes a checkpoint
            orphan_signal="QUIT",  # immediate shutdown: PostgreSQL takes care of its children by itself
            grace_s=_STOP_S,
            pid_file=pid_file,
        )
        try:
            self._process.await_ready(lambda: _is_ready(pid_file), timeout_s)
        except RunError:
            if "Address already in use" in self._process.output():
                raise port_taken("PostgreSQL", port, "SOJOURN_DATABASE_URL") from None
            raise

    def stop(self) -> None:
        """Stop cleanly; nothing of the server is left afterwards."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Kill the server with SIGKILL as a crash would; `start` recovers."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _initdb(self) -> None:
        """Make the data folder under another name and rename it: a killed start leaves no half of one."""
        if self.data.exists():
            raise RunError(
                f"{self.data} is not a database of ours, but in its place.",
                hint="Move it away, or choose another folder.",
            )
        for unfinished in self.folder.glob(f"{_SCRATCH}*"):  # of a start that was killed
            shutil.rmtree(unfinished, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=self.folder) as scratch:
            password = Path(scratch, "password")
            password.touch(mode=0o600)
            password.write_text(secrets.token_urlsafe(24) + "\n")
            fresh = Path(scratch, "data")
            fresh.mkdir(mode=0o700)
            self._run_initdb(fresh, password)
            password.replace(self.folder / "password")
            fresh.rename(self.data)

    def _run_initdb(self, data: Path, password: Path) -> None:
        identity = server_identity()
        own(data.parent, identity)
        command = [*identity.prefix, "setpriv", "--pdeathsig", "KILL"]
        command += [str(self._installed.initdb), "-D", str(data), "-U", _USER]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C", "-E", "UTF8"]
        command += ["--auth=scram-sha-256", f"--pwfile={password}"]
        if not self._sync_initdb:
            command.append("--no-sync")
        environment = {**os.environ, "TZ": "UTC", "LC_ALL": "C"}
        run = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
        if "No space left" in run.stderr:
            raise MachineError(f"The disk of {self.folder} filled up while the database was made.")
        if run.returncode != 0:
            said = RuntimeError(run.stderr.strip())
            raise RunError(f"PostgreSQL could not make its data folder in {self.folder}.") from said


def _is_ready(pid_file: Path) -> bool:
    """Read the state that the postmaster writes into its lock file, as pg_ctl does."""
    try:
        lines = pid_file.read_text().splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"
