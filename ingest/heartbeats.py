"""What a status says about its edge and that edge's anchors, as changes for the log: pure."""

from dataclasses import replace
from typing import Final, get_args

from core.limits import NS_PER_US
from core.wire import BOOT_BYTES
from ingest.messages import Status
from storage.log.edge_status import EdgeChange, EdgeState, EdgeStateWord

MISSED_MOST: Final = 3
"""An anchor is down once three of its heartbeats in a row are missing: one may be lost, two may be a restart."""
_WORDS: Final = frozenset(get_args(EdgeStateWord))


def judge(
    before: EdgeState, status: Status, received_at: int, *, store_no: int, edge_no: int
) -> tuple[EdgeState, list[EdgeChange]]:
    """Return how an edge is after a status, and what changed by it.

    Parameters
    ----------
    before : EdgeState
    status : Status
    received_at : int
        ns, by the clock of ingest.
    store_no, edge_no : int

    Notes
    -----
    - `online`: an anchor with a heartbeat (`alive`) is down if MISSED_MOST of them are missing, from its last sign
      of life on; one without is not judged.
    - `stopped`: nobody listens any more, so all of its anchors are down from now on.
    - `offline`, the last will: the same as far as anybody can tell. If the same boot comes back, only its line was
      cut; it has listened all the while and brings what it heard, so that its anchors are up from that very time on.
    """
    if status.state not in _WORDS:
        return before, []  # a word of a newer edge
    state: EdgeStateWord = status.state  # type: ignore[assignment]  # one of _WORDS
    boot = _boot(status)
    said_ns = received_at if status.at_us is None or state == "offline" else status.at_us * NS_PER_US
    down = _down(status)
    fell, rose = down.keys() - before.anchors_down, before.anchors_down - down.keys()
    if state == before.state and boot == before.boot and not fell and not rose:
        return before, []
    after = EdgeState(state, boot, min(said_ns, received_at), frozenset(down))
    change = EdgeChange(
        store_no=store_no,
        edge_no=edge_no,
        state=state,
        drained=state == "stopped" and status.backlog == 0,
        at=after.at,
        anchors_down=(),
        anchors_up=(),
        received_at=received_at,
    )
    changes = []
    if rose or not fell:
        same = before.state == "offline" and boot is not None and boot == before.boot
        at = before.at if same else after.at
        changes.append(replace(change, at=at, anchors_up=tuple(sorted(rose))))
    if fell:
        seen_us = [down[anchor] for anchor in fell]
        at = min([after.at, *(at_us * NS_PER_US for at_us in seen_us if at_us is not None)])
        changes.append(replace(change, at=at, anchors_down=tuple(sorted(fell))))
    return after, changes


def _down(status: Status) -> dict[str, int | None]:
    """Return the anchors that are down, each with its last sign of life (µs) where that is known."""
    if status.state != "online":
        return dict.fromkeys(status.anchors)
    alive = status.alive
    if alive is None or alive.v != 1 or status.at_us is None:
        return {}
    latest_us = status.at_us - int(MISSED_MOST * alive.every_s * 1e6)
    return {anchor: at_us for anchor, at_us in alive.at_us.items() if at_us < latest_us}


def _boot(status: Status) -> bytes | None:
    try:
        boot = bytes.fromhex(status.boot) if status.boot is not None else b""
    except ValueError:
        return None
    return boot if len(boot) == BOOT_BYTES else None
