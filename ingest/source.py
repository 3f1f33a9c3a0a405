"""Where batches come from: an MQTT broker (`ingest.subscriber`) or Kafka (`ingest.kafka.source`)."""

from collections.abc import Callable, Sequence
from typing import Protocol, TypeAlias, TypeVar

from ingest.messages import Received

M = TypeVar("M", bound=Received)

Parting: TypeAlias = Callable[[bool], None]
"""Called when stores go to another ingest, before they go: what is not `holds` any more is to be let go of. Told
whether there is time to write what belongs to them."""


class Source(Protocol[M]):
    """Messages in order of receipt, which come again until they are acknowledged; for one thread.

    Only what is `holds` comes. A source that is `shared` brings some of the stores, others of its kind bring the
    rest, and which ones may change with every `take`; otherwise it brings them all.
    """

    @property
    def shared(self) -> bool: ...  # noqa: D102

    @property
    def connected(self) -> bool: ...  # noqa: D102

    @property
    def queued(self) -> int: ...  # noqa: D102

    @property
    def dropped_by_broker(self) -> int | None: ...  # noqa: D102

    def connect(self, parting: Parting) -> None:
        """Begin anew; raises UnavailableError while the servers are away."""

    def holds(self, store: str) -> bool:
        """Whether the messages of this store come to this ingest."""

    def gained(self) -> bool:
        """Whether stores have come since this was asked last; to be taken over before the next `take`.

        A `take` with which stores come brings no messages.
        """

    def take(self, *, wait_s: float, gather_s: float) -> list[M]:
        """Return the next messages, at most one commit's worth.

        Waits up to `wait_s` for the first and `gather_s` for more to come.
        """

    def acknowledge(self, messages: Sequence[M]) -> None:
        """Say that these, and with them all before them, are in the database."""

    def publish(self, topic: str, payload: bytes) -> None:
        """Tell edges, with a retained MQTT message at QoS 1, what is in the database."""

    def drop(self) -> None:
        """Let go, so that what was not acknowledged comes again, here or elsewhere."""
