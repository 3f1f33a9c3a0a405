"""`make fuzz`: atheris over the targets, each in a process of its own; the whole run is told in the end.

The seed is what libFuzzer draws from: with it, from an empty test-artifacts/fuzz/corpus, the same inputs come in the
same order (how many, the time decides). What is found stands in test-artifacts/fuzz/TARGET; put it into
tests/fuzz/corpus/TARGET with the mend.
"""

import argparse
import random
import re
import subprocess
import sys
import time
from pathlib import Path

from tests.fuzz.mutate import turned

WORK = Path("test-artifacts/fuzz")
FIXED = Path(__file__).parent / "corpus"
_LONGEST_BYTES = 4096
_MEMORY_MB = 3072
_SLOWEST_S = 20
TOGETHER = "together"
"""All targets in one process, each input's first byte naming its own: for a short run, of which sixteen starts of a
process would leave little. Without Parquet, which may end the process."""
_ABORTED = "memory allocation of"
"""Damaged Parquet can make polars ask for exabytes, which ends the process: known, and not ours to mend."""
_VALUES = ("null", "true", "-1", "1e999", "[]", "{}", '\\"\\"', "65535", "9223372036854775808")
"""At the bounds of types, as JSON spells them."""
# not the kernels' folders: numba would compile what counts the branches
_WATCHED = ["core.addresses", "core.advertisement", "core.beacon_frames", "core.bthome",
            "core.wire", "core.floorplan", "core.dwell.snapshot", "edge.publisher", "edge.remote",
            "ingest.messages", "ingest.acceptance", "ingest.topics", "simulators"]  # fmt: skip


def fuzz_one(target: str, seconds: int, seed: int) -> None:
    """Fuzz one target in this process, until the time is over or something is found."""
    import atheris  # only where it is installed

    import core.dwell.engine  # noqa: F401  # before anything is watched

    with atheris.instrument_imports(include=_WATCHED):
        from tests.fuzz import targets
        from tests.fuzz.seeds import seeds

    corpus = WORK / "corpus" / target
    corpus.mkdir(parents=True, exist_ok=True)
    (WORK / target).mkdir(parents=True, exist_ok=True)
    known = {name: [*sound, *_found(name)] for name, sound in seeds().items()}
    names = sorted(name for name in targets.TARGETS if not name.endswith("_parquet"))

    def together(data: bytes) -> None:
        if data:
            targets.TARGETS[names[data[0] % len(names)]](data[1:])

    if target == TOGETHER:
        begun = [bytes([place]) + data for place, name in enumerate(names) for data in known[name]]
    else:
        begun = known[target]
    for place, data in enumerate(begun):
        (corpus / f"seed-{place}").write_bytes(data)
    limits = [f"-max_len={_LONGEST_BYTES}", f"-rss_limit_mb={_MEMORY_MB}", f"-timeout={_SLOWEST_S}"]
    asked = [f"-max_total_time={seconds}", f"-artifact_prefix={WORK / target}/", "-print_final_stats=1"]
    words = WORK / f"{target}.words"
    words.write_text("".join(f'"{word}"\n' for word in _words(begun)))
    drawn = [f"-seed={seed}", f"-dict={words}"]

    def mutated(data: bytes, most: int, drawn_seed: int) -> bytes:
        """Every second time wrong values in sound JSON, if it is any; libFuzzer's own damage otherwise."""
        told = turned(data, drawn_seed) if drawn_seed % 2 else None
        return told if told is not None and len(told) <= most else atheris.Mutate(data, most)

    atheris.Setup(
        [sys.argv[0], str(corpus), *limits, *asked, *drawn],
        targets.TARGETS.get(target, together),
        custom_mutator=mutated,
    )
    atheris.Fuzz()


def _words(of: list[bytes]) -> list[str]:
    """Return the names and values of text formats, for libFuzzer to put in.

    Damaged text is mostly refused for its first broken bracket; with a word in another place it is read on.
    """
    found = {word.decode() for data in of for word in re.findall(rb"[A-Za-z0-9_.:+-]{2,40}", data)}
    return sorted({*found, *_VALUES})


def _found(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FIXED / target).glob("*"))]


def main() -> int:
    """Read the command line, fuzz, print a table; 1 if anything was found."""
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--target")
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31), help="else one is drawn and printed")
    parser.add_argument("--alone", type=int, metavar="SECONDS", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone is not None:
        fuzz_one(asked.target, asked.alone, asked.seed)
        return 0
    names = [asked.target] if asked.target else _names()
    seconds = max(int(asked.minutes * 60 / len(names)), 1)
    return max([_fuzz(name, seconds, asked.seed) for name in names])


def _fuzz(name: str, seconds: int, seed: int) -> int:
    """Fuzz a target in a process of its own and print what came of it; 1 if something was found."""
    begun = time.monotonic()
    inputs = ended = found = 0
    said = ""
    while not found and (left_s := seconds - int(time.monotonic() - begun)) > 0:
        command = [sys.executable, "-m", "tests.fuzz", "--target", name, "--alone", str(left_s)]
        command += ["--seed", str(seed + ended)]  # not once more what ended the process
        run = subprocess.run(command, check=False, capture_output=True, text=True)
        said = run.stdout + run.stderr
        told = re.search(r"number_of_executed_units:\s*(\d+)", said)
        inputs += int(told.group(1)) if told else 0
        if run.returncode and name.endswith("_parquet") and _ABORTED in said:
            ended += 1
        else:
            found = int(run.returncode != 0)
    verdict = "FOUND" if found else f"polars ended the process {ended} times" if ended else "nothing"
    print(f"{name:<18}{inputs:>12,} inputs {time.monotonic() - begun:>6.0f} s  seed {seed}  {verdict}", flush=True)
    if found:
        print(said[-4000:])
    return found


def _names() -> list[str]:
    from tests.fuzz.targets import TARGETS  # in the parent it is not watched

    return list(TARGETS)


if __name__ == "__main__":
    sys.exit(main())
