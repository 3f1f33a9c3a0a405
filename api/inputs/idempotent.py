"""Writes that may be sent again: every one carries an Idempotency-Key, and the same key gives the same answer."""

from collections.abc import Callable
from hashlib import sha256
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Request
from fastapi.responses import JSONResponse, Response

from api.access.principal import principal_of
from api.problems import ProblemError, conflict
from api.service import Service, ServiceDep
from storage.connect import Connection
from storage.inputs.idempotency import KEY_CHARACTERS, KeyReusedError, once

REPEATED: Final = "Idempotency-Replayed"
"""A header of an answer that was given before."""


class Once:
    """Answers one request once; handed to routes by FastAPI."""

    def __init__(self, service: Service, path: str, key: str, *, asker: str = "") -> None:
        self._service, self._path, self._key, self._asker = service, path, key, asker

    def answer(self, body: bytes, work: Callable[[Connection], tuple[int, Any]], *, secret: bool = False) -> Response:
        """Return the answer of `work`, or the one that was given when this was sent before.

        An answer with a `secret` is given once; the same request again learns that it was made.

        Raises
        ------
        ProblemError
            If the key was used for another request, or its answer held a secret.
        UnavailableError
            If the database is away.
        """
        digest = sha256(body).digest()
        try:
            given = self._service.writer.write(
                lambda connection: once(
                    connection,
                    self._key,
                    self._path,
                    digest,
                    lambda: work(connection),
                    asker=self._asker,
                    secret=secret,
                )
            )
        except KeyReusedError as error:
            raise ProblemError(
                422, "idempotency-key-reused", "Idempotency-Key used before", detail=error.what, hint=error.hint
            ) from error
        if secret and given.repeated:
            raise conflict(
                "This was done when it was sent first. Its answer held a secret, which is shown once and not kept.",
                hint="If that answer was lost, make a new secret or ticket, with a new Idempotency-Key.",
            )
        headers = {REPEATED: "true"} if given.repeated else {}
        return JSONResponse(given.body, given.status, headers=headers)


def _once(
    request: Request,
    service: ServiceDep,
    idempotency_key: Annotated[
        str | None, Header(description="A new UUID for each request; the same one when it is sent again")
    ] = None,
) -> Once:
    if not idempotency_key or len(idempotency_key) > KEY_CHARACTERS or not idempotency_key.isprintable():
        raise ProblemError(
            400,
            "idempotency-key-missing",
            "Idempotency-Key missing",
            detail=f"A write carries an Idempotency-Key of 1 to {KEY_CHARACTERS} characters.",
            hint="Send a new UUID with each request, and the same one when you send it again.",
        )
    principal = principal_of(request)
    asker = f"{principal.kind} {principal.principal_id}" if principal is not None else ""
    return Once(service, f"{request.url.path}?{request.url.query}", idempotency_key, asker=asker)


OnceDep = Annotated[Once, Depends(_once)]
