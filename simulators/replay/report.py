"""What a person sees of a replay: a progress bar while it takes long, and what came of it; all on stderr."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from core.dwell.alike import WHAT_TO_DO, sounding_alike
from core.dwell.clocks import DEAD_BAND_US
from core.dwell.model import Model, never_reported
from core.floorplan import StorePlan
from core.limits import NS_PER_S
from simulators.recordings.rejects import EXPLAINED, Reason
from simulators.replay.calibrate import CalibrationReport
from simulators.replay.lanes import Progress, no_progress
from simulators.replay.running import ReplayReport

SHOWN_AFTER_S: Final = 1.0
"""What is over within a second needs no bar."""

_LATE_SHARE: Final = 0.05
"""So many late signals do not come from a network but from a recording in another order."""
_NAMED_MOST: Final = 8
"""Names in one line that a person still reads."""
_UNIT_NS: Final = 366 * 24 * 3600 * NS_PER_S
"""A recording that ends within a year of 1970 was most likely written in seconds, milliseconds or microseconds."""
_UNKNOWN_SHARE: Final = 0.01
"""So many signals of anchors that the plan lacks are not a slip but a gateway."""
_NEVER: Final = "zone {zone} is never reported: no anchor covers it and it has no outline; survey it or add one"
_STEPS: Final = {
    "calibrate": "Calibrating",
    "replay": "Replaying",
    "revise": "Decoding again",
    "simulate": "Simulating",
    "write": "Writing",
}


@contextmanager
def shown(*, quiet: bool = False) -> Iterator[Progress]:
    """Show how far a replay has come, on stderr, once it has taken more than a second.

    Parameters
    ----------
    quiet : bool
        Never show anything.
    """
    if quiet:
        yield no_progress
        return
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    bar = Bar(*columns, console=_stderr(), transient=True)
    tasks: dict[str, TaskID] = {}

    def tell(step: str, share: float) -> None:
        if step not in tasks:
            tasks[step] = bar.add_task(_STEPS[step], total=1.0)
        bar.update(tasks[step], completed=share)
        if not bar.live.is_started and bar.get_time() - began_at > SHOWN_AFTER_S:
            bar.start()

    began_at = bar.get_time()
    try:
        yield tell
    finally:
        if bar.live.is_started:
            bar.stop()


def print_report(report: ReplayReport, rejects: Path | None) -> None:
    """Say what a replay took in and gave out.

    Parameters
    ----------
    report : ReplayReport
    rejects : Path or None
        Where the rejects are, if they were written.
    """
    console = _stderr()
    rate = report.rows / report.took_s if report.took_s else 0.0
    console.print(f"{report.rows:,} rows in {report.took_s:.1f} s ({rate:,.0f} a second)")
    if report.first_at is not None and report.last_at is not None:
        stores = "1 store" if report.stores == 1 else f"{report.stores:,} stores"
        console.print(
            f"{report.signals:,} signals of {report.devices:,} devices in {stores}, "
            f"{_utc(report.first_at)} to {_utc(report.last_at)} UTC"
        )
    _print_rejects(console, report.rejected, rejects)
    if report.late or report.repeated:
        console.print(f"{report.late:,} signals were late and left out, {report.repeated:,} came twice")
    if report.clocks_off:
        anchors = "1 anchor" if report.clocks_off == 1 else f"{report.clocks_off:,} anchors"
        console.print(f"The clocks of {anchors} were off and are corrected")
    for hint in _hints(report):
        console.print(hint, style="yellow")
    forced = f", {report.forced:,} of them decided by a bound" if report.forced else ""
    console.print(f"{report.zone_visits:,} zone visits, {report.store_visits:,} store visits{forced}")


def print_calibration(report: CalibrationReport) -> None:
    """Say what a calibration looked at."""
    console = _stderr()
    console.print(f"{report.rows:,} rows")
    _print_rejects(console, report.rejected, None)
    for store, used in sorted(report.used.items()):
        surveyed = report.models[store].survey_signals
        told = f", {surveyed:,} of them at survey points" if surveyed else ""
        console.print(f"{store}: calibrated on {used:,} signals{told}")
        for line in clock_lines(report.stores[store], report.models[store]):
            console.print(f"  {line}")
        for zone in never_reported(report.stores[store], report.models[store]):
            console.print(f"  {_NEVER.format(zone=zone)}", style="yellow")
        if not report.models[store].survey_signals:
            for line in alike_lines(report.stores[store]):
                console.print(f"  {line}", style="yellow")
    for store in report.unheard:
        console.print(f"{store}: no reading in the recording, the floor plan alone counts", style="yellow")


def clock_lines(store: StorePlan, model: Model) -> Iterator[str]:
    """Say which anchors' clocks are off, and of which it cannot be said."""
    clocks = model.clocks
    if clocks is None or not clocks.known.any():
        yield "clocks: the signals do not tell how far they are off, none is corrected"
        return
    if not clocks.off.any():
        yield f"clocks: {_count(clocks.known)} agree within {DEAD_BAND_US / 1e6:g} s"
    for anchor, ahead_us, drift_ppb in zip(store.anchors, clocks.ahead_us, clocks.drift_ppb, strict=True):
        if ahead_us or drift_ppb:
            gains = f", gains {drift_ppb * 86400 / 1e9:+.1f} s a day" if drift_ppb else ""
            yield f"clock of {anchor.id}: {ahead_us / 1e6:+.2f} s{gains}"
    if not clocks.known.all():
        unknown = [anchor.id for anchor, known in zip(store.anchors, clocks.known, strict=True) if not known]
        yield f"clocks not known, not corrected: {_names(unknown)}"


def alike_lines(store: StorePlan) -> Iterator[str]:
    """Say which zones the floor plan lets sound the same, so that all visits go to one of them."""
    for zones in sounding_alike(store):
        yield (
            f"the floor plan lets zones {_names(zones)} sound the same, so that nothing tells visits to them apart:"
            f" {WHAT_TO_DO}"
        )


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_MOST} more" if len(names) > _NAMED_MOST else ""
    return f"{', '.join(names[:_NAMED_MOST])}{more}"


def _count(known: NDArray[np.bool_]) -> str:
    return f"all {len(known):,}" if known.all() else f"{np.count_nonzero(known):,} of {len(known):,}"


def _print_rejects(console: Console, rejected: Mapping[Reason, int], path: Path | None) -> None:
    if not rejected:
        return
    where = f", see {path}" if path is not None else ""
    console.print(f"{sum(rejected.values()):,} rows were no signals{where}", style="yellow")
    for reason in Reason:
        if reason in rejected:
            console.print(f"  {reason.value}: {rejected[reason]:,} ({EXPLAINED[reason]})")


def _hints(report: ReplayReport) -> Iterator[str]:
    """Say what is most likely wrong with a recording that can be read but makes no sense."""
    for store, leap in report.leaps if report.late else ():
        yield (
            f"{store}: line {leap.line:,} ({_utc(leap.ts)} UTC) lies {_long(leap.ahead_ns)} ahead of the rows around"
            " it, so rows after it are late. Most likely its ts is wrong: correct it or leave it out."
        )
    if report.signals and report.late > _LATE_SHARE * report.signals and not report.leaps:
        yield (
            "Many signals were late: a recording has to be in order of arrival. Sort it by ts; if it is, the clock of"
            " an anchor may be a minute or more ahead: `sojourn calibrate` names those that it cannot compare."
        )
    if report.rejected.get(Reason.UNKNOWN_ANCHOR, 0) > _UNKNOWN_SHARE * report.rows:
        yield "Many rows name an anchor that the floor plan lacks: add it, visits are less certain without."
    for store, zone in report.never_reported:
        yield f"{store}: {_NEVER.format(zone=zone)}"
    for plan in report.unsurveyed:
        for line in alike_lines(plan):
            yield f"{plan.id}: {line}"
    if report.last_at is not None and report.last_at < _UNIT_NS:
        yield "All times lie in 1970: ts is in nanoseconds since then. Was another unit meant?"
    if report.rows and not report.signals:
        yield "Not one row was a signal: do the floor plan and the recording belong together?"


def _long(ns: int) -> str:
    hours = ns / (3600 * NS_PER_S)
    return f"{hours:.1f} hours" if hours < 48 else f"{hours / 24:.1f} days"


def _utc(ns: int) -> str:
    return datetime.fromtimestamp(ns // NS_PER_S, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _stderr() -> Console:
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
