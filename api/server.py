"""Run the application until it is told to stop."""

import logging
import socket
from contextlib import suppress
from typing import Final

import structlog
import uvicorn
from fastapi import FastAPI

from api.app import create_app
from api.settings import Settings
from core.errors import UnavailableError

STOP_WITHIN_S: Final = 1
"""Requests under way get a second; live streams are ended before, so that a stop takes less than two."""
_BACKLOG: Final = 256

_log = structlog.get_logger()


def _without_contents(record: logging.LogRecord) -> bool:
    """Take an exception out of what uvicorn says of it: its message may repeat a row; the fault was told before."""
    record.exc_info = None
    return True


class _Server(uvicorn.Server):
    """Ends live streams first: uvicorn would wait for them, and they never end by themselves."""

    def __init__(self, config: uvicorn.Config, app: FastAPI) -> None:
        super().__init__(config)
        self._app = app

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

    Raises
    ------
    UnavailableError
        If host and port cannot be listened on.
    ConfigurationError
        If the database URL cannot be read.
    """
    # psycopg's pool repeats itself with every attempt; Reader says once what it means
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    logging.getLogger("uvicorn.error").addFilter(_without_contents)
    app = create_app(database_url, settings)
    with _listening_socket(host, port) as listener:
        bound = listener.getsockname()
        _log.info("the api is listening", url=f"http://{host}:{bound[1]}")
        config = uvicorn.Config(
            app,
            log_level=log_level,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=STOP_WITHIN_S,
        )
        with suppress(KeyboardInterrupt):  # raised again by uvicorn after it has stopped in order
            _Server(config, app).run(sockets=[listener])


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
