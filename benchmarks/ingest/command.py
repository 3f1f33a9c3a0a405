"""`python -m benchmarks ingest`: throughput, delays and cost of all between an edge and a page, on one machine."""

import argparse
import json
import os
import shlex
import tempfile
from pathlib import Path
from typing import Final

from benchmarks.ingest.cost import Cost
from benchmarks.ingest.machine import machine
from benchmarks.ingest.measuring import Asked, measure_node_red, measure_plain, measure_product
from benchmarks.ingest.report import Found, markdown, picture, told
from benchmarks.measuring import machine as this_machine
from benchmarks.results_part import replace_part

_PLAIN: Final = "paho, JSON, one INSERT per signal, a commit a message; no visits"
_NODE_RED: Final = "Node-RED and node-postgres, the same messages and statements; no visits"


def main(arguments: list[str]) -> int:
    """Measure; print JSON on stdout; 0 if the checker is green."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ingest", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long it is measured; 600: is it flat?")
    parser.add_argument("--settle", type=float, default=15.0, help="seconds before that")
    parser.add_argument("--stores", type=int, default=4)
    parser.add_argument("--edges", type=int, default=4, help="edges a store")
    parser.add_argument("--devices", type=int, default=2000, help="devices a store")
    parser.add_argument("--publishers", type=int, default=1, help="processes of edges")
    parser.add_argument("--rate", type=float, default=0.0, help="signals a second; 0: as many as get committed")
    parser.add_argument("--source", choices=["mqtt", "kafka"], default="mqtt", help="kafka: by bridge and broker")
    parser.add_argument("--tls", action="store_true", help="edges and ingest speak TLS 1.3 to the broker")
    parser.add_argument("--no-profile", action="store_true", help="do not look with py-spy")
    parser.add_argument("--beside-seconds", type=float, default=15.0, help="what a user would write first; 0: not")
    parser.add_argument("--results", type=Path, help="Markdown file whose part is replaced")
    parser.add_argument("--out", type=Path, help="folder for ingest.json and ingest.svg")
    given = parser.parse_args(arguments)
    asked = Asked(
        seconds=given.seconds,
        settle_s=given.settle,
        stores=given.stores,
        edges=given.edges,
        devices=given.devices,
        publishers=given.publishers,
        rate=given.rate,
        profile=not given.no_profile,
        source=given.source,
    )
    found = measure(asked, tls=given.tls, beside_s=given.beside_seconds)
    name = "ingest" if given.source == "mqtt" else "ingest-kafka"
    text = markdown(found, ["python", "-m", "benchmarks", "ingest", *arguments])
    figures = json.dumps({key: value for key, value in told(found).items() if key != "moments"}, indent=1)
    print(figures)
    if given.results is not None:
        replace_part(given.results, name, f"{text}\n\n![Signals over time]({name}.svg)", command="ingest")
        (given.results.parent / f"{name}.json").write_text(figures + "\n")  # `scale` reckons with ingest.json
        (given.results.parent / f"{name}.svg").write_text(picture(found.product.moments))
    if given.out is not None:
        given.out.mkdir(parents=True, exist_ok=True)
        command = shlex.join(["python", "-m", "benchmarks", "ingest", *arguments])
        (given.out / f"{name}.json").write_text(json.dumps({"command": command, **told(found)}, indent=1))
        (given.out / f"{name}.svg").write_text(picture(found.product.moments))
        (given.out / f"{name}.md").write_text(text + "\n")
    return 1 if found.product.checked.wrong or found.product.left else 0


def measure(asked: Asked, *, tls: bool, beside_s: float) -> Found:
    """Start everything, measure the product, then what a user would write first, on the same servers."""
    before = os.getloadavg()[0]
    with (
        tempfile.TemporaryDirectory(prefix="sojourn-ingest-") as name,
        machine(
            Path(name),
            stores=asked.stores,
            edges=asked.edges,
            devices=asked.devices,
            tls=tls,
            kafka=asked.source == "kafka",
        ) as running,
    ):
        product = measure_product(running, asked)
        plain: dict[str, Cost | str] = {}
        if beside_s and asked.source == "mqtt":  # it has no other way to take
            running.stop_ingest()
            plain[_PLAIN] = measure_plain(running, asked, beside_s)
            plain[_NODE_RED] = measure_node_red(running, asked, beside_s)
    return Found(asked, tls, (before, os.getloadavg()[0]), this_machine(), product, plain)
