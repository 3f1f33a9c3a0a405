"""Counts are served on an address of their own, or written to a file."""

import socket
from pathlib import Path
from urllib.request import urlopen

import pytest
from prometheus_client import Counter

from core.errors import ConfigurationError, UnavailableError
from telemetry.exposition import exposed, make_registry, read_address, write_file


def test_counts_are_served_while_the_block_runs() -> None:
    registry = make_registry("ingest")
    Counter("sojourn_things", "Things.", registry=registry).inc(3)
    with exposed(registry, "127.0.0.1:0") as port:
        with urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            said = answer.read().decode()
        assert "sojourn_things_total 3.0" in said
        assert 'sojourn_info{service="ingest",version="' in said
        assert "process_resident_memory_bytes" in said
        assert "_created" not in said, "a series that nobody asks for, for each count"
        with (
            pytest.raises(UnavailableError, match="choose another with --metrics"),
            exposed(registry, f"127.0.0.1:{port}"),
        ):
            pass
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_without_an_address_nothing_is_served() -> None:
    with exposed(make_registry("api"), "") as port:
        assert port == 0


@pytest.mark.parametrize(
    "text", ["9464", "localhost:9464", "127.0.0.1", "127.0.0.1:x", "u@127.0.0.1:1", "1.1.1.1:1/x"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"It looks like 127\.0\.0\.1:9464"):
        read_address(text)


def test_addresses() -> None:
    assert read_address("127.0.0.1:9464") == ("127.0.0.1", 9464)
    assert read_address("[::1]:9464") == ("::1", 9464)


def test_a_file_for_the_node_exporter(tmp_path: Path) -> None:
    registry = make_registry("edge")
    write_file(registry, tmp_path / "sojourn.prom")
    assert 'sojourn_info{service="edge"' in (tmp_path / "sojourn.prom").read_text()
    with pytest.raises(UnavailableError, match="Does its folder exist"):
        write_file(registry, tmp_path / "nowhere" / "sojourn.prom")
