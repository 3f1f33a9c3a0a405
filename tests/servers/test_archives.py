import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from servers.apt import AptRoot, quiet
from servers.archives import Archive, debian_archives, fetch_packages
from servers.debian import archive_keyring, archive_mirrors
from servers.errors import FetchError
from servers.process import free_port
from tests.servers.machines import path_with, says_what_to_do

KEYRING = archive_keyring(Path("/usr/share/keyrings"))
pytestmark = [
    pytest.mark.servers,
    pytest.mark.skipif(KEYRING is None, reason="not a Debian machine: no keyring of Debian's archive"),
]


@pytest.fixture
def archive_folder(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """An HTTP server on loopback that serves a folder: its address, and the folder."""
    folder = tmp_path / "archive"
    folder.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_arguments: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/debian", folder / "debian"
        server.shutdown()
        thread.join()


def fetch(work: Path, *mirrors: str) -> FetchError:
    assert KEYRING is not None
    archives = [Archive(mirror, KEYRING) for mirror in mirrors]
    with pytest.raises(FetchError) as caught:
        fetch_packages(work, ["mosquitto"], lambda _work: archives, quiet)
    return caught.value


def test_no_network(tmp_path: Path) -> None:
    started = time.monotonic()
    error = fetch(tmp_path, f"http://127.0.0.1:{free_port()}/debian")
    assert "cannot be reached" in str(error)
    assert says_what_to_do(error)
    assert time.monotonic() - started < 30


def test_a_proxy_that_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    error = fetch(tmp_path, "http://archive.invalid/debian")
    assert "cannot be reached" in str(error)
    assert "proxy" in str(error)


def test_an_archive_that_debian_did_not_sign(tmp_path: Path, archive_folder: tuple[str, Path]) -> None:
    mirror, folder = archive_folder
    release = folder / "dists/trixie"
    (release / "main/binary-amd64").mkdir(parents=True)
    (release / "main/binary-amd64/Packages").touch()
    (release / "Release").write_text(
        "Origin: somebody\nSuite: trixie\nCodename: trixie\nArchitectures: amd64 arm64\nComponents: main\n"
        "Date: Sat, 01 Nov 2025 00:00:00 UTC\n"
    )
    error = fetch(tmp_path / "work", mirror)
    assert "not signed by Debian's keys" in str(error)
    assert "SOJOURN_DEBIAN_MIRROR" in str(error)


def test_an_archive_without_the_suite(tmp_path: Path, archive_folder: tuple[str, Path]) -> None:
    assert "cannot be reached" in str(fetch(tmp_path / "work", archive_folder[0]))


def test_the_first_error_is_the_one_that_is_told(tmp_path: Path) -> None:
    first, second = f"http://127.0.0.1:{free_port()}/debian", "http://archive.invalid/debian"
    assert first in str(fetch(tmp_path, first, second))


def test_nothing_of_the_machine_s_own_apt_is_read_or_written(tmp_path: Path) -> None:
    assert KEYRING is not None
    AptRoot(tmp_path / "apt", mirror="http://archive.invalid/debian", suite="trixie", signed_by=KEYRING)
    configuration = (tmp_path / "apt/apt.conf").read_text()
    for setting in (
        "Dir::State ",
        "Dir::State::Lists ",
        "Dir::State::Status ",
        "Dir::Cache ",
        "Dir::Etc::SourceParts ",
    ):
        value = next(line for line in configuration.splitlines() if line.startswith(setting))
        assert str(tmp_path) in value
    assert 'Dir::Etc::SourceList "/dev/null";' in configuration


def test_a_named_mirror_comes_first() -> None:
    assert archive_mirrors({"SOJOURN_DEBIAN_MIRROR": "http://archive.invalid/debian"}) == [
        "http://archive.invalid/debian"
    ]


def test_archives_of_others_are_no_debian_mirrors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = """\
http://one.invalid/debian/|bookworm|main
http://one.invalid/debian/|bookworm-updates|main
http://one.invalid/debian-security/|bookworm-security|main
http://one.invalid/debian/|bookworm|non-free
http://two.invalid/ubuntu/|noble|main
mirror+file:/etc/apt/mirrors/debian.list/|trixie|main"""
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin", "cat", apt_get=f"cat <<'E'\n{listing}\nE"))
    assert archive_mirrors({}) == ["http://one.invalid/debian/", "mirror+file:/etc/apt/mirrors/debian.list/"]


def test_a_machine_that_is_not_debian_learns_the_archive_from_its_own_packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ubuntu names no archive of Debian; python-apt's templates, there by default, do."""
    monkeypatch.setenv(
        "PATH", path_with(tmp_path / "bin", "sh", apt_get="echo 'http://x.invalid/ubuntu/|noble|main'")
    )
    host = tmp_path / "host"
    (host / "usr/share/keyrings").mkdir(parents=True)
    (host / "usr/share/keyrings/debian-archive-keyring.gpg").touch()
    templates = host / "usr/share/python-apt/templates"
    templates.mkdir(parents=True)
    (templates / "Debian.info").write_text(
        "Suite: trixie\nBaseURI: https://archive.invalid/debian/\nMatchURI: x\n\n"
        "Suite: trixie-security\nBaseURI: https://security.invalid/\n"
    )
    found = debian_archives(tmp_path / "work", host=host, environment={})
    assert [archive.mirror for archive in found] == [
        "https://archive.invalid/debian/",
        "http://archive.invalid/debian/",
    ]
    assert found[0].keyring == host / "usr/share/keyrings/debian-archive-keyring.gpg"
