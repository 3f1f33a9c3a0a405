"""Every threshold of the dwell engine, once, with the reason for its number."""

from dataclasses import dataclass, fields
from typing import Final

from core.errors import ConfigurationError
from core.limits import NS_PER_S, NS_PER_US

STEP_NS_MAX: Final = NS_PER_S
SILENCE_NS_MAX: Final = 1_000 * NS_PER_S  # gaps are kept as microseconds below 2**30, 1,073 s

VISIT_NS_MAX: Final = 48 * 3600 * NS_PER_S  # certainty is summed in 32 bits: 64 x 190 signals/s x 48 h


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What may be set about an engine; times are nanoseconds of data time, never of a clock."""

    lateness_ns: int = 30 * NS_PER_S
    """How far a signal may come behind its source's newest. An edge sends once a second and retries within
    ten; thirty leaves room for three retries."""

    patience_ns: int = 120 * NS_PER_S
    """How long the store waits for a source that fell silent before going on without it. Two minutes cover the
    restart of a gateway; as long as it waits, no visit of the store is decided. An outage of the broker, the line
    or ingest does not count (`quiet_ns`)."""

    quiet_ns: int = 5 * NS_PER_S
    """The most that one pause between two arrivals counts towards the patience: while nobody is heard (the
    broker, the line or ingest itself was away) nobody falls behind, and afterwards backlogs come in any order."""

    held_signals: int = 20_000_000
    """Signals held back at most (320 MB): half an hour of 1,500 devices heard once a second by seven anchors. Beyond
    that the store goes on without those who are behind."""

    step_ns: int = 100_000_000
    """Signals of a device within this time are one advertisement heard by several anchors. Below every legal
    advertising interval in use (100 ms is the fastest common one), above the spread of receivers' clocks."""

    stay_min_ns: int = 5 * NS_PER_S
    """A shorter stay is no visit: at 1.2 m/s it takes 5 s to walk through a 6 m zone without stopping."""

    silence_ns: int = 60 * NS_PER_S
    """Silence after which a device has left, unless its own gaps ask for more. Phones in pockets are quiet
    for half a minute; a minute outside is not worth a second store visit."""

    silence_max_ns: int = 900 * NS_PER_S
    """No gap is so typical that a quarter of an hour of silence is still presence."""

    silence_gaps: int = 14
    """Departure after this many mean gaps: gaps of a lossy advertiser are close to exponential, and
    exp(-14) is one false departure in a million adverts."""

    stay_mean_s: float = 3_000.0
    """Sets how sticky the path is: leaving costs ln(zones / (dt / stay_mean)). Longer than real stays,
    because the readings of a stay are not independent (a body stays where it shades). Simulated stores gave the same
    visits at 1,000, 3,000 and 10,000 s; at 3,000 a device that stands still switches less than once an hour, at
    10,000 weak devices stay too long in a wrong zone to be learnt."""

    evidence_weight: float = 0.6
    """Weight of hearing or not hearing an anchor: the detections of one advert at several anchors share
    one transmission, so that they count for less than their number."""

    doubt_nats: float = 10.0
    """Alternatives within this log-likelihood of the best stay inside the 95% bounds. 1.92 would do (half the 95%
    point of chi-squared, one degree) if readings were independent; those of a stay share their shadowing, so that
    about five count as one. Chosen on simulated stores (seeds that are not reported): at 8 nats 92% of the exits of
    people who walk about were covered, at 10 nats 95%. The exit of a store visit's last zone is held to the same."""

    lead_nats: float = 3.0
    """A lead of so many nats over the next zone is worth one nat of certainty, for the same reason. Between 2
    (too sure) and 4 (too modest) in simulated stores."""

    undecided_ns: int = 300 * NS_PER_S
    """A stretch that stays ambiguous this long is decided for its best path and marked as forced."""

    undecided_stays: int = 64
    """Undecided stays one device may hold before its path is forced; bounds the arena (64 stays of 64 bytes)."""

    offset_limit_db: int = 20
    """How far a device's own level may be learnt away from the model's (0: not at all): the strongest tags send 20 dB
    above the weakest."""

    deaf_nats: float = 12.0
    """An anchor that hears nothing while devices stand before it loses the weight of its silence, all of it when that
    is as unlikely as exp(-12), six in a million; 0 never. A single device then loses about 4 nats to a dead anchor
    before it fades, less than the 9 it takes to move on."""

    together_gaps: int = 5
    """An anchor that hears nobody any more, while all who stood before it are silent since, has died, or they have
    left. If it died, each one's last signal lies within five of its mean gaps before: 99% of exponential gaps do."""

    together_stay_ns: int = 900 * NS_PER_S
    """How long people stand before anchors until they leave the store, a quarter of an hour. So a device leaves
    within five given gaps by the chance of five gaps to this; longer stays make it rarer yet."""

    together_chance: float = 1e-3
    """If so many leave together by chance less often than once in a thousand such silences, the anchor has died:
    three of whom each is heard every second, five heard every ten. Never fewer than three, as couples leave together;
    a family that leaves an anchor to nobody is taken for its death, too, and waited for until it hears somebody."""

    gap_mean_ns: int = 4 * NS_PER_S
    """Mean gap of a device nothing is known of: most tags and phones are heard once in 1 to 10 s. With
    `silence_gaps` it stays just below `silence_ns`, and the first wide gap already widens it."""

    app_late_ns: int = 30 * NS_PER_S
    """How late an app's word of leaving may come: iOS waits 20 to 30 s before it believes that a beacon is gone."""

    forget_ns: int = 36 * 3600 * NS_PER_S
    """After this absence a device is as new: pseudonyms of unknown devices live for a day."""

    resident_ns: int = 4 * 3600 * NS_PER_S
    """Who stays for so long within a day is no visitor: half a shift, and longer than people shop in one store."""

    visit_max_ns: int = 24 * 3600 * NS_PER_S
    """No store visit is longer than a day; what never leaves (shelf tags) gets one a day. Keeps sums in 32 bits."""

    def __post_init__(self) -> None:
        """Check what kernels rely on.

        Raises
        ------
        ConfigurationError
            Naming the setting and its range.
        """
        if not NS_PER_US <= self.step_ns <= STEP_NS_MAX:
            raise ConfigurationError("step_ns lies between a microsecond and a second.")
        if not self.step_ns <= self.silence_ns <= self.silence_max_ns <= SILENCE_NS_MAX:
            raise ConfigurationError("step_ns <= silence_ns <= silence_max_ns <= 1,000 s does not hold.")
        if (
            min(
                self.lateness_ns,
                self.patience_ns,
                self.quiet_ns,
                self.stay_min_ns,
                self.undecided_ns,
                self.app_late_ns,
            )
            < 0
        ):
            raise ConfigurationError(
                "lateness_ns, patience_ns, quiet_ns, stay_min_ns, undecided_ns, app_late_ns are not negative."
            )
        if self.held_signals < 1:
            raise ConfigurationError("held_signals is at least 1.")
        if not (
            self.stay_mean_s > 0
            and 0 <= self.evidence_weight <= 1
            and 0 < self.doubt_nats < 50
            and self.lead_nats > 0
        ):
            raise ConfigurationError(
                "stay_mean_s and lead_nats above 0, evidence_weight in 0..1, doubt_nats in 0..50 do not hold."
            )
        if not 0 < self.gap_mean_ns <= self.silence_max_ns or not self.silence_max_ns < self.forget_ns:
            raise ConfigurationError("0 < gap_mean_ns <= silence_max_ns < forget_ns does not hold.")
        if not self.silence_max_ns < self.visit_max_ns <= VISIT_NS_MAX:
            raise ConfigurationError("silence_max_ns < visit_max_ns <= 48 hours does not hold.")
        if self.resident_ns <= 0:
            raise ConfigurationError("resident_ns is positive.")
        if not 0 <= self.deaf_nats <= 1000:
            raise ConfigurationError("deaf_nats lies in 0..1000.")
        if not (1 <= self.together_gaps <= 100 and self.together_stay_ns > 0 and 0 < self.together_chance < 1):
            raise ConfigurationError(
                "together_gaps in 1..100, together_stay_ns above 0, together_chance in 0..1 do not hold."
            )
        if not 0 <= self.offset_limit_db <= 60:
            raise ConfigurationError("offset_limit_db lies in 0..60.")
        if self.silence_gaps < 1 or not 8 <= self.undecided_stays <= 4096:
            raise ConfigurationError("silence_gaps is at least 1, undecided_stays lies in 8..4096.")

    @property
    def doubt(self) -> int:
        """`doubt_nats` in the decoder's quanta of 1/64 nat."""
        return round(64 * self.doubt_nats)

    @property
    def words(self) -> str:
        """All settings as text; part of a snapshot's fingerprint."""
        return ";".join(f"{field.name}={getattr(self, field.name)!r}" for field in fields(self))
