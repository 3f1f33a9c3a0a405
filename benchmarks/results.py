"""What a run found as Markdown tables and pictures; other parts of the file stay as they are."""

import re
import shlex
from pathlib import Path
from typing import Any, Final

from benchmarks import drawing
from benchmarks.measured import Measured

_BEGIN: Final = "<!-- speed: written by `python -m benchmarks dwell --results` -->"
_END: Final = "<!-- end of speed -->"
_TITLE: Final = "# Benchmark results\n\n"

_LINES: Final = (
    ("read_limit", "sum of the signal columns (the memory's limit)"),
    ("c_ema", "C: moving average with hysteresis"),
    ("c_reference", "C: the same streaming sticky Viterbi, without bounds, confidence, offsets, watch"),
    ("decoder", "**decoder**, sorted signals to stays"),
    ("engine", "**engine**, raw ids (a table a chunk) to visits"),
    ("engine_ids", "engine, 16 bytes of pseudonym beside every signal"),
)


def write(measured: Measured, file: Path, command: list[str]) -> None:
    """Put the tables into their part of a file and the pictures beside it."""
    section = f"{_BEGIN}\n{_section(measured, command)}{_END}\n"
    old = file.read_text() if file.exists() else _TITLE
    part = re.compile(re.escape(_BEGIN) + r".*?" + re.escape(_END) + "\n", re.DOTALL)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(part.sub(lambda _: section, old) if part.search(old) else old.rstrip("\n") + "\n\n" + section)
    for name, picture in _pictures(measured).items():
        (file.parent / name).write_text(picture)


def tables(measured: Measured) -> str:
    """Return all tables as Markdown."""
    told = measured.told
    return "\n".join([*_ours(told), "", *_by_devices(told), "", *_around(told), *_beside(measured)])


def _section(measured: Measured, command: list[str]) -> str:
    told, at = measured.told, measured.told["machine"]
    load = told["workload"]
    head = [
        "## Speed",
        "",
        (
            f"Machine: {at['processor']}, {at['cores']} cores, L2 {at['l2']}, L3 {at['l3']}, {at['memory']};"
            f" {at['system']}. Load by others when it began: {at['load']}."
        ),
        f"Python {at['python']}, numpy {at['numpy']}, numba {at['numba']}, polars {at['polars']}; {at['gcc']}.",
        "",
        f"    {shlex.join(command)}",
        "",
        (
            f"Workload (`benchmarks/workload.py`, seed {told['seed']}): {told['signals']:,} signals of"
            f" {told['devices_active']:,} devices in {told['stores']} stores of 12 zones,"
            f" {load['signals_an_advert']:.1f} signals an advert, {load['seconds']:.0f} s of data time,"
            f" {load['out_of_order_share']:.0%} of neighbouring rows out of order. Times are CPU time per signal,"
            " medians of runs that take turns; ratios are medians over rounds."
        ),
        "",
        "![Ours beside what a user would pick](speed.svg)",
        "",
        "![Cost by devices](growth.svg)",
        "",
    ]
    return "\n".join([*head, tables(measured), ""])


def _ours(told: dict[str, Any]) -> list[str]:
    rows = ["### Ours, C and the memory", "", "| | ns | best | to memory | to C |", "|---|---|---|---|---|"]
    read, in_c = told["read_limit_ns"], told["c_reference_ns"]
    for name, what in _LINES:
        ns = told[f"{name}_ns"]
        if ns is None:
            rows.append(f"| {what} | not measured: {told['c_reason']} | | | |")
            continue
        to_memory = told["ratios"].get(f"{name}/read_limit", ns / read)
        to_c = "" if in_c is None else f"{told['ratios'].get(f'{name}/c_reference', ns / in_c):.2f}"
        rows.append(f"| {what} | {ns:.1f} | {told['best_ns'][name]:.1f} | {to_memory:.1f} | {to_c} |")
    rate = told["million_signals_a_second"]
    rows += ["", f"Million signals a second a core: decoder {rate['decoder']}, engine {rate['engine']}."]
    if "c_agreement" in told:
        same, shipped = told["c_agreement"]["same_settings"], told["c_agreement"]["as_shipped"]
        rows.append(
            f"Of the decoder's stays the C machine has {same:.1%} to the microsecond with the same settings (no"
            f" offsets, no watch), {shipped:.1%} of those with the settings as shipped."
        )
    return rows


def _by_devices(told: dict[str, Any]) -> list[str]:
    counts = list(told["devices"])
    return [
        "### By devices",
        "",
        (
            "Every signal of another device in random order, each an advertisement of its own. The floor reads a"
            " device's record and does nothing."
        ),
        "",
        "| devices | " + " | ".join(f"{int(count):,}" for count in counts) + " | growth |",
        "|---|" + "---|" * (len(counts) + 1),
        "| decoder, ns | " + " | ".join(f"{told['devices'][c]:.0f}" for c in counts) + f" | {told['growth']} |",
        "| touch floor, ns | "
        + " | ".join(f"{told['touch_ns'][c]:.0f}" for c in counts)
        + f" | {told['touch_growth']} |",
        "",
        f"State per device: {told['device_bytes']} bytes.",
    ]


def _around(told: dict[str, Any]) -> list[str]:
    threads, cold = told["threads"], told["cold_start"]
    one, two = threads["one_wall_ns"], threads["two_wall_ns"]
    return [
        (
            f"Two threads, stores parted: {threads['speed_up']:.2f} times one thread in wall time"
            f" ({one:.0f} and {two:.0f} ns; of the best runs {threads['speed_up_best']:.2f})."
        ),
        (
            "Cold start with a warm kernel cache, a fresh process up to 1,000 decoded signals:"
            f" {cold['wall_s']:.2f} s ({cold['cpu_s']:.2f} s of CPU)."
        ),
        "",
    ]


def _beside(measured: Measured) -> list[str]:
    rows = [
        "### Beside what a user would pick",
        "",
        (
            "Each in a process of its own, in turn. Peers turn signals with small integers for devices, which lie in"
            " memory in their own form, into gap sessions of the strongest anchor of 5 s; ours turns raw ids into"
            " visits. Slow peers get every n-th device. CPU time is that of all threads; peak memory is that of the"
            " process during the job, input included."
        ),
        "",
    ]
    for size, found in measured.beside.items():
        ours = found["sojourn"].ns if "sojourn" in found else None
        rows += [
            f"**{size:,} signals**",
            "",
            "| | job | signals | CPU, ns | wall, ns | to ours | peak, MB | of it the job's | results |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for name, one in sorted(
            found.items(), key=lambda pair: pair[1].ns if pair[1].ns is not None else float("inf")
        ):
            if one.ns is None:
                rows.append(f"| {name} | {one.peer.job} | not measured: {one.reason} | | | | | | |")
                continue
            to_ours = "" if ours is None else f"{one.ns / ours:,.2f}"
            who = name if name == "sojourn" else f"{name} {one.version}"
            numbers = (
                f"{one.signals:,}",
                f"{one.ns:,.0f}",
                f"{min(one.wall_ns):,.0f}",
                to_ours,
                f"{one.peak_bytes / 1e6:,.0f}",
                f"{(one.peak_bytes - one.before_bytes) / 1e6:,.0f}",
                f"{one.sessions:,}",
            )
            rows.append(f"| {who} | {one.peer.job} | {' | '.join(numbers)} |")
        rows.append("")
    return rows


def _pictures(measured: Measured) -> dict[str, str]:
    told = measured.told
    values = {f"{name} (peer)": one["ns"] for name, one in told["peers"].items() if one["ns"] is not None}
    named = {
        "engine": "our engine",
        "decoder": "our decoder",
        "c_reference": "the decoder in C",
        "read_limit": "reading the columns",
    }
    values |= {what: told[f"{name}_ns"] for name, what in named.items() if told[f"{name}_ns"] is not None}
    series = {
        "decoder": {int(count): ns for count, ns in told["devices"].items()},
        "touch": {int(count): ns for count, ns in told["touch_ns"].items()},
    }
    return {
        "speed.svg": drawing.bars("CPU time per signal", values, {"our engine", "our decoder"}),
        "growth.svg": drawing.lines(
            "CPU time per signal by devices at once", "devices heard in random order", series
        ),
    }
