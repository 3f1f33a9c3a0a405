"""`make fuzz`: atheris over the targets, each in a process of its own; the whole run is told in the end.

What is found stands in test-artifacts/fuzz/TARGET; put it into tests/fuzz/corpus/TARGET with the mend.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path

WORK = Path("test-artifacts/fuzz")
FIXED = Path(__file__).parent / "corpus"
_LONGEST_BYTES = 4096
_MEMORY_MB = 3072
_SLOWEST_S = 20
# not the kernels' folders: numba would compile what counts the branches
_WATCHED = ["core.wire", "core.floorplan", "core.dwell.snapshot", "edge.publisher", "ingest.messages",
            "ingest.acceptance", "ingest.topics", "simulators"]  # fmt: skip


def fuzz_one(target: str, seconds: int) -> None:
    """Fuzz one target in this process, until the time is over or something is found."""
    import atheris  # only where it is installed

    import core.dwell.engine  # noqa: F401  # before anything is watched

    with atheris.instrument_imports(include=_WATCHED):
        from tests.fuzz import targets
        from tests.fuzz.seeds import seeds

    corpus = WORK / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    (WORK / target).mkdir(parents=True, exist_ok=True)
    for place, data in enumerate(seeds()[target]):
        (corpus / f"seed-{place}").write_bytes(data)
    given = [str(corpus), *([str(FIXED / target)] if (FIXED / target).is_dir() else [])]
    limits = [f"-max_len={_LONGEST_BYTES}", f"-rss_limit_mb={_MEMORY_MB}", f"-timeout={_SLOWEST_S}"]
    asked = [f"-max_total_time={seconds}", f"-artifact_prefix={WORK / target}/", "-print_final_stats=1"]
    atheris.Setup([sys.argv[0], *given, *limits, *asked], targets.TARGETS[target])
    atheris.Fuzz()


def main() -> int:
    """Read the command line, fuzz, print a table; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target")
    parser.add_argument("--alone", type=int, metavar="SECONDS", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone is not None:
        fuzz_one(asked.target, asked.alone)
        return 0
    names = [asked.target] if asked.target else _names()
    seconds = max(int(asked.minutes * 60 / len(names)), 1)
    found = False
    for name in names:
        begun = time.monotonic()
        command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--alone", str(seconds)]
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        said = run.stdout + run.stderr
        inputs = re.search(r"number_of_executed_units:\s*(\d+)", said)
        count = int(inputs.group(1)) if inputs else 0
        verdict = "nothing" if run.returncode == 0 else "FOUND"
        print(f"{name:<18}{count:>12,} inputs {time.monotonic() - begun:>6.0f} s  {verdict}", flush=True)
        if run.returncode:
            found = True
            print(said[-4000:])
    return 1 if found else 0


def _names() -> list[str]:
    from tests.fuzz.targets import TARGETS  # in the parent it is not watched

    return list(TARGETS)


if __name__ == "__main__":
    sys.exit(main())
