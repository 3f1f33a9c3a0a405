"""What a page of the demo would see: the API asked over HTTP, and the delay from signal to page measured."""

import http.client
import threading
import time
from collections import deque
from typing import Any, Final
from uuid import UUID

import msgspec
import numpy as np

from core.limits import NS_PER_US
from servers.process import HOST

_ANSWER_S: Final = 10.0
_AGAIN_S: Final = 0.5
_SAMPLES: Final = 200_000  # the newest; five states a second with 32 samples each are twenty minutes
_REACHED: Final = ("reached", "under_way")


class _State(msgspec.Struct):
    sampled_signal_at_us: list[int]
    decided_at_us: int | None = None


class Delays:
    """A page that follows the store live: how long signals took until they were in a state that reached it."""

    def __init__(self, port: int, store: str, key: str) -> None:
        self._port = port
        self._key = key
        self._store = store
        self._samples: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)  # signal at, received at (us)
        self._decided: deque[tuple[int, int]] = deque(maxlen=_SAMPLES)  # decided at, received at (us)
        self._stop = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()

    def percentiles(self, live_from_us: int) -> dict[str, float | None]:
        """Return p50 and p99 in seconds over signals that were heard live; None without any."""
        return _percentiles(self._samples, live_from_us)

    def decided_percentiles(self, live_from_us: int) -> dict[str, float | None]:
        """Return p50 and p99 in seconds from a decision of ingest's to the page; None without any.

        Of all that a state shows anew, the first decision counts.
        """
        return _percentiles(self._decided, live_from_us)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._follow()
            except (OSError, http.client.HTTPException, msgspec.MsgspecError):
                self._stop.wait(_AGAIN_S)

    def _follow(self) -> None:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=_ANSWER_S)
        try:
            connection.request("GET", f"/v1/stores/{self._store}/live", headers=_headers(self._key))
            response = connection.getresponse()
            event = ""
            while not self._stop.is_set():
                line = response.readline()
                if not line:
                    raise http.client.IncompleteRead(b"")
                name, _, value = line.decode().rstrip("\r\n").partition(": ")
                if name == "event":
                    event = value
                elif name == "data" and event == "state":
                    now_us = time.time_ns() // NS_PER_US
                    said = msgspec.json.decode(value, type=_State)
                    self._samples.extend((at, now_us) for at in said.sampled_signal_at_us)
                    if said.decided_at_us is not None:
                        self._decided.append((said.decided_at_us, now_us))
        finally:
            connection.close()


def _percentiles(times_us: deque[tuple[int, int]], from_us: int) -> dict[str, float | None]:
    taken = [received - at for at, received in list(times_us) if at >= from_us]
    if not taken:
        return {"p50": None, "p99": None}
    p50, p99 = np.percentile(np.array(taken) / 1e6, [50, 99]).tolist()
    return {"p50": round(p50, 3), "p99": round(p99, 3)}


def _headers(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def ask(port: int, path: str, key: str) -> tuple[int, Any]:
    """Return status and JSON of a GET with a key; status 0 if nobody answers."""
    connection = http.client.HTTPConnection(HOST, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path, headers=_headers(key))
        response = connection.getresponse()
        return response.status, msgspec.json.decode(response.read())
    except (OSError, http.client.HTTPException, msgspec.DecodeError):
        return 0, None
    finally:
        connection.close()


def profiles_with_journey(port: int, profiles: list[UUID], key: str) -> int:
    """Return how many profiles have a journey that came at least to the stage Arrive."""
    found = 0
    for profile in profiles:
        status, journey = ask(port, f"/v1/profiles/{profile}/journey", key)
        if status == http.client.OK and any(
            stage["stage"] == "arrive" and stage["state"] in _REACHED for stage in journey["stages"]
        ):
            found += 1
    return found
