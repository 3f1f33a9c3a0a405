"""A private mosquitto (MQTT 5 and 3.1.1) on loopback: nobody comes in without a certificate or a password."""

import os
import signal
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from servers.errors import RunError
from servers.identity import own, server_identity
from servers.passwords import drawn_password, mosquitto_hash
from servers.process import HOST, GuardedProcess, hold, port_is_free, port_taken, start_on_free_port
from servers.provide import Installed

_STOP_S: Final = 10.0

_CONFIGURATION: Final = """\
# Written at each start.
per_listener_settings false
allow_anonymous false
{access}
listener {port} {host}
{listener}
persistence true
persistence_location {folder}/
# Not durability: what came after the last save is lost with SIGKILL. The edge keeps a batch until ingest has
# committed it, so this only bounds how much is sent again.
autosave_interval 30
max_inflight_messages 1000
# Per client: 100,000 batches (a day of one busy store) or 512 MiB. Beyond that messages are dropped, and the edge
# sends them again.
max_queued_messages {queued_messages}
max_queued_bytes 536870912
# a batch is at most 512 KiB; topic and properties get 8 KiB
max_packet_size 532480
set_tcp_nodelay true
# how often it tells what it dropped
sys_interval {tell_s}
log_dest stdout
log_type error
log_type warning
log_type notice
log_type information
connection_messages false
"""
_BY_PASSWORD: Final = "password_file {folder}/passwords"  # noqa: S105  # the name of a file
_BY_CERTIFICATE: Final = """\
acl_file {folder}/access.acl
password_file {folder}/passwords"""
_TLS: Final = """\
cafile {folder}/ca.pem
certfile {folder}/certificate.pem
keyfile {folder}/key.pem
crlfile {folder}/revoked.pem
tls_version tlsv1.2
require_certificate true
# the common name of the certificate is the user name; it is the client id too, so that nobody can take the session
# of another
use_identity_as_username true
use_username_as_clientid true"""
_USER: Final = "local"


class Mosquitto:
    """One mosquitto broker with its persistence folder.

    It stops when the process that started it ends, in whatever way.

    Parameters
    ----------
    installed : Installed
        From `servers.provide.provide`.
    folder : Path
        Holds the configuration, the persistence and `log`; made by the first start.
    port : int
        Loopback port; 0 chooses a free one at the first start and keeps it for this object.
    queued_messages : int
        Messages that it holds for a client; further ones are dropped.
    tell_s : int
        How often it publishes its own counts ($SYS), seconds.
    more : str
        More lines for its configuration, as a further listener.
    secure : Path or None
        Folder that `sojourn certify broker` wrote: TLS alone, certificates of clients, and what each may do. None:
        without TLS, one password for everything, which `url` holds; drawn anew for each object.
    """

    def __init__(
        self,
        installed: Installed,
        folder: Path,
        *,
        port: int = 0,
        queued_messages: int = 100_000,
        tell_s: int = 10,
        more: str = "",
        secure: Path | None = None,
    ) -> None:
        self._installed = installed
        self.folder = folder.absolute()
        self._port = port
        self._queued_messages = queued_messages
        self._tell_s = tell_s
        self._more = more
        self._secure = secure.absolute() if secure is not None else None
        self._password = drawn_password()
        self._process: GuardedProcess | None = None

    @property
    def log(self) -> Path:
        """What the broker says; kept over restarts."""
        return self.folder / "log"

    @property
    def port(self) -> int:
        """The loopback port; 0 before the first start if none was asked for."""
        return self._port

    @property
    def url(self) -> str:
        """The broker's address, `mqtts://host:port`, or `mqtt://user:password@host:port`."""
        if self._secure is not None:
            return f"mqtts://{HOST}:{self._port}"
        return f"mqtt://{_USER}:{self._password}@{HOST}:{self._port}"

    @property
    def running(self) -> bool:
        """Whether the broker is up."""
        return self._process is not None and self._process.running

    @property
    def pid(self) -> int:
        """Process id of the broker."""
        if self._process is None:
            raise RunError("mosquitto has not been started.", hint="")
        return self._process.pid

    def start(self, timeout_s: float = 20.0) -> None:
        """Start, and return when connections are taken.

        Raises
        ------
        PortTaken
            Somebody else listens on the port.
        RunError
            The broker does not start; the message names its log.
        """
        if self.running:
            return
        with hold("mosquitto", self.folder) as lock:
            if self._port:
                self._start(lock, self._port, timeout_s)
            else:  # kept from then on: whoever was given the address finds it again after a restart
                self._port = start_on_free_port(lambda port: self._start(lock, port, timeout_s))

    def _start(self, lock: int, port: int, timeout_s: float) -> None:
        if not port_is_free(port):
            raise port_taken("mosquitto", port, "SOJOURN_MQTT_URL")
        store = self.folder / "store"
        store.mkdir(exist_ok=True)
        configuration = self.folder / "mosquitto.conf"
        access, listener = self._write_access()
        settings = _CONFIGURATION.format(
            port=port,
            host=HOST,
            folder=store,
            queued_messages=self._queued_messages,
            tell_s=self._tell_s,
            access=access,
            listener=listener,
        )
        configuration.write_text(settings + self._more)
        own(store, server_identity())
        self._process = process = GuardedProcess(
            "mosquitto",
            [self._installed.mosquitto, "-c", configuration],
            lock=lock,
            log=self.log,
            stop_signal=signal.SIGTERM,
            orphan_signal="TERM",
            grace_s=_STOP_S,
        )
        try:
            # its own word comes after the listeners are open; a connection could reach somebody else's
            process.await_ready(lambda: " running\n" in process.output(), timeout_s)
        except RunError:
            if "Address already in use" in process.output():
                raise port_taken("mosquitto", port, "SOJOURN_MQTT_URL") from None
            raise

    def _write_access(self) -> tuple[str, str]:
        """Return the lines that say who comes in, for all listeners and for ours."""
        if self._secure is not None:
            return _BY_CERTIFICATE.format(folder=self._secure), _TLS.format(folder=self._secure)
        passwords = self.folder / "passwords"
        passwords.touch(mode=0o600)
        passwords.write_text(f"{_USER}:{mosquitto_hash(self._password)}\n")
        own(passwords, server_identity())
        return _BY_PASSWORD.format(folder=self.folder), ""

    def reload(self) -> None:
        """Let it read its access list and passwords anew."""
        os.kill(self.pid, signal.SIGHUP)

    def stop(self) -> None:
        """Stop cleanly; the broker writes its persistence."""
        if self._process is not None:
            self._process.stop()

    def kill(self) -> None:
        """Kill the broker with SIGKILL as a crash would: what came after the last save is gone."""
        if self._process is not None:
            self._process.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
