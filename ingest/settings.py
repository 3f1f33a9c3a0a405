"""How much ingest takes at once and how long it waits, each with its reason."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from core.limits import BATCH_BYTES


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Bounds and times of an ingest; the defaults are meant for every size of store.

    Times are seconds of real time, sizes bytes.
    """

    client_id: str | None = None
    """Names the broker's session, so it must not change between starts. One ingest serves a database, so it is made
    of that database's address where none is given: the ingests of two databases do not disturb each other."""

    session_expiry_s: int = 7 * 24 * 3600
    """The broker keeps what an ingest that is away has not read; as long as an edge's outbox is sized for."""

    receive_maximum: int = 256
    """Messages the broker may have open: above `commit_messages`, so that the next ones come while a commit runs.
    It also bounds the queue: 256 of BATCH_BYTES are 128 MiB in the worst case, 5 MiB as a rule."""

    packet_bytes: int = 2 * BATCH_BYTES
    """Twice what a batch may have, so that one that is too large is told and kept as a dead letter, while an
    absurd one never leaves the broker."""

    commit_messages: int = 128
    """Messages to a transaction: at 2 ms for a commit to disk the commit is no longer what limits."""

    commit_share: float = 0.1
    """The most of its time that ingest spends on committing while messages come: a commit of five messages costs
    nearly as much as one of fifty, so one that takes long waits for more of them."""

    gather_s: float = 0.01
    gather_most_s: float = 0.1
    """How long a transaction waits for more messages, at least and at most. It adds to the time from signal to page,
    which is seconds."""

    parked_bytes: int = 32 * 1024 * 1024
    """Batches that wait for an earlier one of their edge; what does not fit comes again from the edge's outbox."""

    parked_s: float = 600.0
    """An edge sends again within seconds; ten minutes later its boot is gone and nothing will fill the gap."""

    derive_s: float = 0.2
    """How often visits and presence of a store are written while signals come in: faster than a page redraws."""

    derive_share: float = 0.2
    """The most of its time that ingest spends on that while messages wait; where it would be more, it is done less
    often. A store of 2,000 devices that is heard 25,000 times a second costs some 15 ms each time: four of them at
    five times a second would take a third of it."""

    derive_most_s: float = 10.0
    """Not less often than this, however much it costs."""

    snapshot_s: float = 300.0
    """A replay of five minutes' signals takes seconds; a snapshot of a large store takes as long to write."""

    status_s: float = 5.0
    """How often ingest tells how it fares."""

    prune_s: float = 60.0
    """How often dead letters are cut back to their bound."""

    chunks_s: float = 1800.0
    """How often the chunks of the next hours are looked after (`storage.log.chunks.AHEAD` is six hours)."""

    rollup_s: float = 30.0
    """How often what changed of the visits is added to their counts; until then a question adds it by itself."""

    alert_s: float = 10.0
    """How often the limits of alerts are looked at: sooner than anybody would walk to a till that is too full."""

    rollup_days: int = 20
    """At most so many days at a time, in a thread of its own: a few per store change at once; after a change of the
    floor plan all are counted anew, a second for 100,000 visits each."""

    calibrate_every_s: int | None = 24 * 3600
    """How often each store's model is learnt anew from its log, by the store's own clock and data; None: never. Every
    night, so that a store without a survey, with tags 6 dB weaker than the priors expect or another path loss, is
    decoded by what it sounds like from its second day on (benchmarks: F1 .72 to .80); where the priors fit already it
    changes next to nothing, because every estimate is shrunk to them. A wish of a person for other models stands."""

    calibrate_last_s: int = 24 * 3600
    """How much of the log a model is learnt from: every hour of a day, each kind of visitor, and today's anchors."""

    revise_settle_s: float | None = 600.0
    """Visits are revised for late signals once none came for ten minutes: an edge that was cut off sends hours of
    backlog within minutes, and is then decoded once. None: only `sojourn revise` does it."""

    revise_wait_s: float = 3600.0
    """The longest that a late batch waits while others keep coming."""

    revise_again_s: float = 900.0
    """How long a store rests after a pass, which reads up to 60 hours of its log for each day that is touched."""

    privacy: Path | None = None
    """Folder of the suppression list and its key. None: nobody can be erased here, and nobody was."""

    privacy_s: float = 2.0
    """How often erasures that were asked for are looked after."""

    retain: Mapping[str, int] = field(default_factory=dict)
    """Days by kind of data after which it goes (`core.privacy.retention.read_policy`); empty: nothing ever does."""

    retain_s: float = 3600.0
    """How often retention looks: chunks are a day long, so an hour more or less does not matter."""

    retry_first_s: float = 0.2
    retry_most_s: float = 10.0
    """A server that restarts is back within seconds; ten seconds do not hammer one that is down for an hour."""
