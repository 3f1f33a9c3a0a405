"""What the demo shows while it runs: a live table on a terminal, a line now and then elsewhere."""

import time
from types import TracebackType
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from core.limits import NS_PER_US
from simulators.store_live import State
from storage.figures import Figures

_LINE_EVERY_S: Final = 10.0


class Screen:
    """Rewrites a table in place where it can."""

    def __init__(self, console: Console, store: str) -> None:
        self._console = console
        self._store = store
        self._live = Live(console=console, transient=True, auto_refresh=False) if console.is_terminal else None
        self._told_s = 0.0

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, state: State, figures: Figures | None, delays: dict[str, float | None]) -> None:
        """Show how the demo fares."""
        if figures is None:
            return
        rows = _rows(state, figures, delays)
        if self._live is not None:
            self._live.update(_table(self._store, rows), refresh=True)
        elif time.monotonic() - self._told_s >= _LINE_EVERY_S:
            self._told_s = time.monotonic()
            self._console.print("; ".join(f"{name} {value}" for name, value in rows))


def _rows(state: State, figures: Figures, delays: dict[str, float | None]) -> list[tuple[str, str]]:
    rows = [
        ("signals sent", f"{state.signals:,}"),
        ("logged", f"{figures.signals:,}"),
        ("decoded", f"{figures.decoded:,}"),
        ("waiting at the edges", f"{state.backlog:,} batches"),
        ("zone visits", f"{figures.zone_visits:,}"),
        ("store visits", f"{figures.store_visits:,}"),
        ("people in the store", f"{figures.present:,} seen, {state.inside:,} simulated"),
    ]
    if figures.late:
        rows.append(("too late to be decoded", f"{figures.late:,}"))
    if delays["p50"] is not None:
        rows.append(("from signal to page", f"{delays['p50']:.1f} s, worst 1% {delays['p99']:.1f} s or more"))
    if figures.decided_through_us is not None:
        behind_s = (time.time_ns() // NS_PER_US - figures.decided_through_us) / 1e6
        rows.append(("visits are decided up to", f"{behind_s:.0f} s ago"))
    return rows


def _table(store: str, rows: list[tuple[str, str]]) -> Table:
    table = Table(title=store, show_header=False, title_justify="left")
    table.add_column(style="dim")
    table.add_column(justify="right", min_width=28)
    for name, value in rows:
        table.add_row(name, value)
    return table
