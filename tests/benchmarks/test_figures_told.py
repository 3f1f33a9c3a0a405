"""The table of docs/dwell-engine.md says what benchmarks/RESULTS.md says; the rows to paste are in the failure."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOC = ROOT / "docs/dwell-engine.md"
HEAD = "| | `stays` F1 | median dwell error |"
NAMES = {
    "usual": "usual",
    "devices 6 dB weaker": "devices -6 dB",
    "path loss 1.8": "path loss 1.8",
    "path loss 3.2": "path loss 3.2",
    "noise 8 dB": "noise 8 dB",
    "loss .8": "loss 0.8",
    "an advert every 10 s": "an advert every 10 s",
}
PRIORS, CALIBRATED = 5, 6  # columns of a table by method; of what is stated, entries and exits are the first two


def cells(workload: str, title: str) -> dict[str, list[str]]:
    """Return the rows of one table of the results, by point, without their spreads."""
    text = (ROOT / "benchmarks/RESULTS.md").read_text(encoding="utf-8")
    table = text.split(f"### `{workload}`\n", 1)[1].split(f"{title}:\n\n", 1)[1].split("\n\n", 1)[0]
    rows = [[cell.strip().split(" ±")[0] for cell in line.split("|")] for line in table.splitlines()[2:]]
    return {row[1]: row[1:] for row in rows}


def rounded(share: str) -> str:
    """Return a share as the table has it where it has two digits."""
    return f"{float(share):.2f}".removeprefix("0")


def test_the_table_of_the_dwell_engine_is_that_of_the_results() -> None:
    found = {
        (workload, title): cells(workload, title)
        for workload in ("stays", "walks")
        for title in (
            "F1 of zone visits",
            "F1 of zone visits from 15 s on",
            "Dwell, median absolute error of matched visits, s",
            "What ours states about itself (self-calibrated)",
        )
    }
    wanted = []
    for told, point in NAMES.items():
        f1, walks, longer = (
            f"{row[PRIORS]} / {row[CALIBRATED]}"
            for row in (
                found["stays", "F1 of zone visits"][point],
                found["walks", "F1 of zone visits"][point],
                found["walks", "F1 of zone visits from 15 s on"][point],
            )
        )
        error = found["stays", "Dwell, median absolute error of matched visits, s"][point][CALIBRATED]
        of_stays, of_walks = (
            found[workload, "What ours states about itself (self-calibrated)"][point][1:3]
            for workload in ("stays", "walks")
        )
        covered = f"{rounded(of_walks[0])}, {rounded(of_walks[1])}"
        wanted.append(f"| {told} | {f1} | {error} s | {', '.join(of_stays)} | {walks} | {longer} | {covered} |")
    table = DOC.read_text(encoding="utf-8").split(HEAD, 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    assert table == wanted, "\n".join(wanted)
