"""Run the application until it is told to stop."""

import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.connections import Bounds, with_bounds
from api.meters import Meters
from api.settings import Settings
from core.errors import ConfigurationError, UnavailableError
from telemetry.exposition import exposed, make_registry
from telemetry.tracing import OFF, Tracing

STOP_WITHIN_S: Final = 1
"""Requests under way get a second; live streams are ended before, so that a stop takes less than two."""
_BACKLOG: Final = 256
_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: forward secrecy and authenticated encryption alone (RFC 9325); 1.3 has nothing else."""
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_KEY_OPEN: Final = 0o007
_LOOK_TICKS: Final = 600
"""uvicorn ticks ten times a second."""
_USUAL: Final = Bounds()

_log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True)
class Transport:
    """How answers travel to browsers.

    Parameters
    ----------
    certificate, key : Path or None
        PEM, for TLS here; None: without TLS, or TLS in a proxy before it.
    trusted_proxy : str
        Addresses or networks of a proxy, by commas: what it says of the client and of https (X-Forwarded-For,
        X-Forwarded-Proto) is believed; whoever else says so is not. Empty: nobody.
    unencrypted : bool
        Listen beyond this machine without TLS and without a proxy.
    """

    certificate: Path | None = None
    key: Path | None = None
    trusted_proxy: str = ""
    unencrypted: bool = False

    @property
    def tls(self) -> bool:
        """Whether TLS ends here."""
        return self.certificate is not None

    def check(self, host: str) -> None:
        """Hold that what was set fits together and names do not travel in the open.

        Raises
        ------
        ConfigurationError
            If it does not.
        """
        if (self.certificate is None) != (self.key is None):
            raise ConfigurationError("A certificate and its key go together.", hint="Set --tls-cert and --tls-key.")
        if self.certificate is not None and self.key is not None:
            _check_files(self.certificate, self.key)
        for address in self.trusted_proxy.split(","):
            try:
                if self.trusted_proxy and ip_network(address.strip(), strict=False).prefixlen == 0:
                    raise ValueError(address)
            except ValueError as error:
                raise ConfigurationError(
                    f"{address.strip()!r} is no address of a proxy.",
                    hint="Write --trusted-proxy 127.0.0.1 or 10.0.0.0/24.",
                ) from error
        if not (self.tls or self.trusted_proxy or self.unencrypted or _on_this_machine(host)):
            raise ConfigurationError(
                f"Names of customers would travel from {host} unencrypted.",
                hint="Set --tls-cert and --tls-key, or --trusted-proxy where TLS ends in a proxy; --unencrypted if"
                " nobody but you is on that network.",
            )


class _Certificate:
    """Certificate and key in use; files that were renewed serve the next connection, without a restart."""

    def __init__(self, config: uvicorn.Config) -> None:
        self._config = config
        self._seen = self._changed_ns()

    def take_renewed(self) -> None:
        """Take the files into use if they are others than before; a pair that does not fit is spoken of."""
        changed_ns = self._changed_ns()
        if changed_ns == self._seen or self._config.ssl is None:
            return
        self._seen = changed_ns
        certificate, key = Path(str(self._config.ssl_certfile)), Path(str(self._config.ssl_keyfile))
        try:
            _check_files(certificate, key)  # as a whole: half of a new pair must not get into the one in use
            self._config.ssl.load_cert_chain(certificate, key, password="")
        except (ConfigurationError, OSError) as error:
            _log.warning("the renewed certificate is not taken", reason=str(error))
        else:
            _log.info("the renewed certificate is in use")

    def _changed_ns(self) -> tuple[int, ...]:
        try:
            return tuple(
                Path(str(path)).stat().st_mtime_ns for path in (self._config.ssl_certfile, self._config.ssl_keyfile)
            )
        except OSError:  # between the old and the new one
            return ()


class _Server(uvicorn.Server):
    """Ends live streams first: uvicorn would wait for them, and they never end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app
        self._certificate = None if config.ssl is None else _Certificate(config)

    async def on_tick(self, counter: int) -> bool:
        """Look once a minute whether the certificate was renewed."""
        if counter % _LOOK_TICKS == 0 and self._certificate is not None:
            self._certificate.take_renewed()
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._app.state.service.live.close()
        self._app.state.service.cues.close()
        await super().shutdown(sockets)


def run(
    database_url: str,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    settings: Settings | None = None,
    log_level: str = "info",
    transport: Transport | None = None,
    metrics: str = "",
    tracing: Tracing = OFF,
) -> None:
    """Serve until SIGINT or SIGTERM; then stop within two seconds, with or without live pages.

    Parameters
    ----------
    database_url : str
        As libpq reads it; the database need not be there yet.
    host, port
        Where to listen; port 0 takes a free one.
    settings : Settings, optional
        What the operator has set.
    log_level : str
        debug, info, warning or error, for the server's own messages.
    transport : Transport, optional
        TLS here or in a proxy; without it neither.
    metrics : str
        Address that counts are served on, another than that of the pages; empty: nowhere.
    tracing : Tracing
        Is told of each request.

    Raises
    ------
    UnavailableError
        If host and port, or `metrics`, cannot be listened on.
    ConfigurationError
        If the database URL cannot be read, or the transport does not fit together.
    """
    transport = transport if transport is not None else Transport()
    transport.check(host)
    meters = Meters(make_registry("api"))
    app = create_app(database_url, settings, meters=meters, tracing=tracing)
    with exposed(meters.registry, metrics), _listening_socket(host, port) as listener:
        bound = listener.getsockname()
        _log.info("the api is listening", url=f"{'https' if transport.tls else 'http'}://{host}:{bound[1]}")
        bounds = Bounds(trusted=transport.trusted_proxy, told=meters.connection_ended)
        config = _config(app, transport, log_level, bounds)
        with suppress(KeyboardInterrupt), _terminated_as_interrupted():
            _Server(config, app).run(sockets=[listener])


@contextmanager
def _terminated_as_interrupted() -> Iterator[None]:
    """Take SIGTERM as Ctrl-C: uvicorn raises again what stopped it, once it has stopped in order.

    Left as it is, SIGTERM would then end the process on the spot, before the last traces are sent. A terminal that is
    closed (but for nohup) is SIGTERM, as in `commands.running.stop_on_signals`; uvicorn does not know SIGHUP.
    """
    if threading.current_thread() is not threading.main_thread():  # only there can signals be taken
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, signal.default_int_handler)}
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _config(app: FastAPI, transport: Transport, log_level: str, bounds: Bounds = _USUAL) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=with_bounds(bounds),
        loop="api.connections:Loop",
        log_level=log_level,
        log_config=None,
        access_log=False,
        reset_contextvars=True,  # else a request after a long body is asked as whoever sent that (cpython#140947)
        server_header=False,
        timeout_graceful_shutdown=STOP_WITHIN_S,
        proxy_headers=bool(transport.trusted_proxy),
        forwarded_allow_ips=transport.trusted_proxy or None,
        ssl_certfile=transport.certificate,
        ssl_keyfile=transport.key,
        ssl_ciphers=_CIPHERS,
    )
    config.load()
    if config.ssl is not None:
        config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2
    return config


def _listening_socket(host: str, port: int) -> socket.socket:
    """Return a socket that listens, whose connections send at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # inherited by its connections. asyncio does this only for sockets that name their protocol, and these don't: the
    # body of an answer would wait for the acknowledgement of its head, which Linux delays by 40 ms
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind((host, port))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise UnavailableError(
            f"Nothing can listen on {host}:{port}: {error.strerror}.",
            hint="Stop what uses that port, or choose another with --port.",
        ) from error
    return listener


def _on_this_machine(host: str) -> bool:
    try:
        return host in _LOOPBACK or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_files(certificate: Path, key: Path) -> None:
    try:
        if key.stat().st_mode & _KEY_OPEN:
            raise ConfigurationError(f"{key} can be read by everybody.", hint=f"Run: chmod 600 {key}")
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password="")  # no prompt
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The certificate {certificate} and its key {key} cannot be used: {error}.",
            hint="Both are PEM files of the same pair; `sojourn certify server HOST` makes one.",
        ) from error
