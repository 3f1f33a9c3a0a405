"""`python -m benchmarks COMMAND [options]`: each command is a module with `main(arguments) -> exit code`."""

import sys
from importlib import import_module
from typing import Final

COMMANDS: Final = {
    "dwell": "speed beside C, the memory's limit and what a user would pick instead",
    "metrics": "the queries of the pages over 10 million visits, beside plain SQL",
    "profiles": "a profile page with 1 million profiles and 10 million visits",
    "ingest": "the whole way on one machine: signals a second and a core-second, delays, bytes; beside plain code",
    "growth": "1, 10, 100, 1,000 stores on one machine: cost, memory, restart, pages",
    "recompute": "days of stores decoded again, on one worker and on several, in turn",
    "kept": "bytes on disk for each signal, visit and count",
    "scale": "ten thousand stores: sizes, costs, and a simulation of bursts and outages",
    "erasure": "a person taken out of 20 million signals",
    "soak": "half an hour of a whole store at half the top rate: what grows?",
    "feelings": "learns what notes feel like from those written for it, and says how well",
    "accuracy": "how right the visits are, on simulated stores and recordings",
}


def main(argv: list[str]) -> int:
    """Run one command; return the exit code."""
    if not argv or argv[0] not in COMMANDS:
        sys.stderr.write("usage: python -m benchmarks COMMAND [--help]\n")
        for name, what in COMMANDS.items():
            sys.stderr.write(f"  {name:<10}{what}\n")
        return 0 if argv[:1] in (["-h"], ["--help"]) else 2
    return int(
        import_module(f"benchmarks.{argv[0]}").main(argv[1:])
    )  # loaded when called: each needs much of its own


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
