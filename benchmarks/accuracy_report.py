"""The accuracy grid for people: a section of RESULTS.md and two drawings."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from benchmarks.accuracy_drawing import Line, Panel, draw
from benchmarks.accuracy_methods import CALIBRATED, ORACLE, PEERS, PRIORS
from benchmarks.accuracy_recordings import Figures
from benchmarks.accuracy_scenes import DIMENSIONS, WORKLOADS, Point

BEGIN: Final = "<!-- accuracy: written by `python -m benchmarks accuracy --results`, do not edit -->"
END: Final = "<!-- end of accuracy -->"
F1_DRAWING: Final = "accuracy_f1_by_noise.svg"
RELIABILITY_DRAWING: Final = "accuracy_reliability.svg"
BIN_LEAST: Final = 20
"""Visits below which a bin of the reliability curve is not drawn."""

METHODS: Final = (*PEERS, PRIORS, CALIBRATED, ORACLE)
Row: TypeAlias = Mapping[str, Any]
"""One point of the grid as `accuracy.gather` gives it."""

_WORDS: Final = {
    "noise_db": "noise {:g} dB",
    "loss": "loss {:g}",
    "device_offset_db": "devices {:+g} dB",
    "path_loss": "path loss {:g}",
    "cell_m": "cells of {:g} m",
    "interval_s": "an advert every {:g} s",
    "outages": "a gateway off, 10 minutes each",
    "skew_s": "clocks off by up to ±{:g} s",
    "at_rest_db": "devices at rest, {:+g} dB",
}
_ABOUT_RECORDINGS: Final = """Visits of 3 s and more. SAL-RB: inside and outside of a door, truth by light barrier;
TETAM: the zone of the receiver nearest to the true place. The anchor figures came with the recordings; all other rows
were measured in this run. Nothing is tuned to a recording."""
_LOOKS: Final = {
    "latest signal": ("#999999", 1.4, ""),
    "strongest of 5 s": ("#8a5a9e", 1.6, ""),
    "median + hysteresis": ("#e69f00", 1.6, ""),
    "EMA + hysteresis": ("#d55e00", 1.6, ""),
    PRIORS: ("#56a0d8", 2.2, ""),
    CALIBRATED: ("#0b5fa5", 3.0, ""),
    ORACLE: ("#444444", 1.6, "5 4"),
}


def section(result: Mapping[str, Any]) -> str:
    """Return the whole section between its markers."""
    points: Sequence[Row] = result["points"]
    parts = [BEGIN, "## Accuracy", _preamble(result)]
    if result["recordings"] or points:
        parts += ["### Goals", _goals(result)]
    for workload in WORKLOADS:
        rows = [row for row in points if row["workload"] == workload]
        if rows:
            parts += _of_workload(workload, rows)
    if points:
        parts += [
            f"![F1 by noise, all methods]({F1_DRAWING})",
            f"![Confidence beside the share of visits that are right]({RELIABILITY_DRAWING})",
        ]
    if result["recordings"]:
        parts += ["### Recordings", _recordings(result["recordings"])]
    return "\n\n".join([*parts, END]) + "\n"


def replace_section(text: str, fresh: str) -> str:
    """Return a document with its accuracy section replaced, or with one at its end."""
    if BEGIN in text and END in text:
        before, rest = text.split(BEGIN, 1)
        return before + fresh.rstrip("\n") + rest.split(END, 1)[1]
    return text.rstrip("\n") + ("\n\n" if text.strip() else "# Results\n\n") + fresh


def write(result: Mapping[str, Any], path: Path) -> None:
    """Put the section into a file of results and the drawings beside it."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(replace_section(text, section(result)), encoding="utf-8")
    for name, drawing in drawings(result["points"]).items():
        path.with_name(name).write_text(drawing, encoding="utf-8")


def drawings(points: Sequence[Row]) -> dict[str, str]:
    """Return SVG by file name: F1 by noise, and the reliability of the confidence."""
    if not points:
        return {}
    workloads = [name for name in WORKLOADS if any(row["workload"] == name for row in points)]
    return {
        F1_DRAWING: draw("F1 of zone visits by noise", [_f1_panel(name, points) for name in workloads]),
        RELIABILITY_DRAWING: draw(
            "Stated confidence of zone visits and the share of them that is right",
            [_reliability_panel(name, points) for name in workloads],
        ),
    }


def words(row: Row) -> str:
    """Return what a point is called."""
    pattern = _WORDS.get(row["dimension"])
    return "usual" if pattern is None else pattern.format(row["value"])


def _preamble(result: Mapping[str, Any]) -> str:
    usual = Point()
    return f"""{result["machine"]}; {result["versions"]}. `{result["command"]}`, {result["took_s"]:.0f} s.
Seed base {result["seed"]}, {result["seeds"]} scenes a point, other seeds at every point; mean ± standard deviation.

The usual point: noise {usual.noise_db:g} dB, shadowing 3 dB per stay, devices ±2 dB, loss {usual.loss:g}, path loss
{usual.path_loss:g}, 12 cells of {usual.cell_m:g} m, a gateway in the middle of each, an advert a second.
Every other row changes one of these. A visit lasts at least 5 s, on both sides, crossings included; it is found if a
reported one in its zone overlaps it by at least half of their union, one to one. `walks` and `stays` are described in
`benchmarks/accuracy_scenes.py`, measures in `accuracy_score.py`, the other methods and their parameters in
`accuracy_peers.py` (picked on scenes that are not reported). Ours has no parameter from these scenes: priors are
those of the floor plan, self-calibration sees the signals of the scene, never its truth. Errors of dwell are those
of found visits: who finds few, finds the easy ones. The oracle knows the true zone (and time) of every signal and
reports each stay from its first to its last one."""


def _of_workload(workload: str, rows: Sequence[Row]) -> list[str]:
    """Return the tables of one workload."""
    parts = [f"### `{workload}`"]
    usual = [row for row in rows if row["dimension"] == "usual"]
    if usual:
        parts += ["At the usual point:", _usual_table(usual[0])]
    for measure, title, digits in (
        ("f1", "F1 of zone visits", 3),
        ("f1_15", "F1 of zone visits from 15 s on", 3),
        ("dwell_mae_s", "Dwell, mean absolute error of matched visits, s", 1),
        ("dwell_median_s", "Dwell, median absolute error of matched visits, s", 1),
        ("spurious_per_hour", "Spurious visits per device-hour (reported, but mostly spent elsewhere)", 1),
        ("switches_per_hour", "Changes of zone per hour of a device that stands still (stays of any length)", 1),
        ("false_departures", "False departures per 100 store visits", 1),
    ):
        if not any(_mean(row, name, measure) for row in rows for name in METHODS):
            parts.append(f"{title}: none, of any method, at any point.")
            continue
        head = ["", *METHODS]
        table = [[words(row), *(_mean_sd(row, name, measure, digits) for name in METHODS)] for row in rows]
        parts += [f"{title}:", _table(head, table)]
    parts += ["What ours states about itself (self-calibrated):", _stated_table(rows)]
    return parts


def _usual_table(row: Row) -> str:
    columns = {
        "f1": ("F1", 3), "f1_15": ("F1, 15 s on", 3), "recall": ("recall", 3), "precision": ("precision", 3),
        "time_right": ("time in the right zone", 3), "dwell_mae_s": ("dwell MAE, s", 1),
        "dwell_median_s": ("dwell median error, s", 1), "spurious_per_hour": ("spurious / device-hour", 1),
        "switches_per_hour": ("switches / still hour", 1), "false_departures": ("false departures, %", 1),
    }  # fmt: skip
    head = ["", *(title for title, _ in columns.values())]
    table = [
        [name, *(_number(_mean(row, name, key), digits) for key, (_, digits) in columns.items())] for name in METHODS
    ]
    return _table(head, table)


def _stated_table(rows: Sequence[Row]) -> str:
    columns = {
        "entry_covered": ("entries covered", 3), "exit_covered": ("exits covered", 3),
        "entry_width_s": ("width of entry bounds, s", 1), "exit_width_s": ("of exit bounds, s", 1),
        "ece": ("calibration error of confidence", 3), "time_right": ("time in the right zone", 3),
        "late_share": ("signals too late", 3), "forced_share": ("forced", 3),
    }  # fmt: skip
    head = ["", *(title for title, _ in columns.values())]
    table = [
        [words(row), *(_number(_mean(row, CALIBRATED, key), digits) for key, (_, digits) in columns.items())]
        for row in rows
    ]
    return _table(head, table)


def _recordings(recordings: Mapping[str, Mapping[str, Mapping[str, float | None]]]) -> str:
    parts = [_ABOUT_RECORDINGS]
    head = ["", "zone accuracy", "recall", "precision", "F1", "dwell MAE, s", "dwell median error, s"]
    for name, methods in recordings.items():
        table = [
            [method, *(_number(of[key], 2 if key.endswith("_s") else 3) for key in Figures._fields)]
            for method, of in methods.items()
        ]
        parts += [f"**{name}**", _table(head, table)]
    return "\n\n".join(parts)


def _goals(result: Mapping[str, Any]) -> str:
    """Return every goal that this run can speak of, with what was reached."""
    told: list[list[str]] = []
    for workload in WORKLOADS:
        rows = {words(row): row for row in result["points"] if row["workload"] == workload}
        for point, measure, goal, most in (
            ("usual", "f1", 0.90, False),
            ("noise 8 dB", "f1", 0.83, False),
            ("usual", "dwell_median_s", 2.0, True),
            ("usual", "dwell_mae_s", 6.0, True),
            ("usual", "switches_per_hour", 1.0, True),
            ("usual", "entry_covered", 0.93, False),
            ("usual", "exit_covered", 0.93, False),
            (_WORDS["outages"], "false_departures", 0.0, True),
        ):
            if point in rows:
                reached = [_mean(rows[point], name, measure) for name in (PRIORS, CALIBRATED, ORACLE)]
                told.append(_goal(f"`{workload}`, {point}: {measure}", goal, reached, most=most))
    for name, measure, goal, most in (
        ("SAL-RB walks", "zone_accuracy", 0.97, False),
        ("SAL-RB walks", "dwell_mae_s", 1.0, True),
        ("TETAM, 4 zones", "zone_accuracy", 0.90, False),
    ):
        if name in result["recordings"]:
            methods = result["recordings"][name]
            reached = [methods[one][measure] for one in (PRIORS, CALIBRATED, ORACLE)]
            told.append(_goal(f"{name}: {measure}", goal, reached, most=most))
    return _table(["", "goal", PRIORS, CALIBRATED, ORACLE], told)


def _goal(what: str, goal: float, reached: Iterable[float | None], *, most: bool) -> list[str]:
    cells = []
    for place, value in enumerate(reached):
        met = value is not None and (value <= goal if most else value >= goal)
        mark = "" if place == 2 else (" ✓" if met else " ✗")
        cells.append(_number(value, 3) + mark)
    return [what, f"{'≤' if most else '≥'} {goal:g}", *cells]


def _f1_panel(workload: str, points: Sequence[Row]) -> Panel:
    levels = DIMENSIONS["noise_db"]
    lines = []
    for name in METHODS:
        places = []
        for row in points:
            if row["workload"] == workload and row["dimension"] in ("usual", "noise_db"):
                noise_db = row["value"] if row["value"] is not None else Point().noise_db
                f1 = _mean(row, name, "f1")
                if f1 is not None:
                    places.append((noise_db, f1))
        colour, width, dashes = _LOOKS[name]
        lines.append(Line(name=name, points=sorted(places), colour=colour, width=width, dashes=dashes))
    return Panel(title=workload, x_label="noise, dB", y_label="F1 at IoU ≥ .5", x_ticks=levels, lines=lines)


def _reliability_panel(workload: str, points: Sequence[Row]) -> Panel:
    own = [row for row in points if row["workload"] == workload]
    usual = [row for row in own if row["dimension"] == "usual"]
    lines = [Line(name="perfect", points=((0, 0), (1, 1)), colour="#444444", width=1.2, dashes="5 4")]
    for title, rows, name, colour in (
        ("usual, priors", usual, PRIORS, "#56a0d8"),
        ("usual, self-calibrated", usual, CALIBRATED, "#0b5fa5"),
        ("whole grid, self-calibrated", own, CALIBRATED, "#d55e00"),
    ):
        if rows:
            bins = np.sum([row["methods"][name]["reliability"] for row in rows], axis=0)
            bins = bins[bins[:, 0] >= BIN_LEAST]
            places = [(confidence / count, right / count) for count, confidence, right in bins.tolist()]
            lines.append(Line(name=title, points=places, colour=colour, width=2.2))
    return Panel(
        title=workload,
        x_label="stated confidence",
        y_label="share that is right",
        x_ticks=(0, 0.2, 0.4, 0.6, 0.8, 1),
        lines=lines,
    )


def _mean(row: Row, method: str, measure: str) -> float | None:
    value: float | None = row["methods"][method]["measures"][measure]["mean"]
    return value


def _mean_sd(row: Row, method: str, measure: str, digits: int) -> str:
    of = row["methods"][method]["measures"][measure]
    spread = "" if of["sd"] is None else f" ± {_number(of['sd'], digits)}"
    return _number(of["mean"], digits) + spread


def _number(value: float | None, digits: int) -> str:
    if value is None:
        return "-"
    told = f"{value:,.{digits}f}"
    return told[1:] if told.startswith("0.") and digits == 3 else told


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
