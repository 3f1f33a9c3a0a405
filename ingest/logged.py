"""One row of the signal log as the engines take it in."""

from dataclasses import dataclass

from core.wire import Batch


@dataclass(frozen=True)
class Logged:
    """A batch that is now in the log; `batch` is None where no signal of it was accepted."""

    store_no: int
    edge_no: int
    log_no: int
    received_at: int
    batch: Batch | None
