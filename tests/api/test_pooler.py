"""The API behind a real pgbouncer in transaction mode; where Debian's packages cannot be fetched, this says so."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from api.app import create_app
from api.settings import Databases, Settings
from servers.apt import quiet
from servers.archives import debian_archives, fetch_packages
from servers.debian import architecture
from servers.provide import Installed
from servers.unpack import unpack
from tests.access import HEADERS
from tests.api.serving import answering, free_port, wait_for
from tests.fix_api import SeededStore

pytestmark = pytest.mark.servers

_PACKAGES = ["pgbouncer", "libevent-2.1-7t64", "libcares2"]


@pytest.fixture
def pooled_url(store: SeededStore, installed: Installed, tmp_path: Path) -> Iterator[str]:
    """The database behind pgbouncer, with two sessions for all."""
    work = tmp_path / "work"
    work.mkdir()
    root, servers, machine = tmp_path / "root", installed.mosquitto.parents[2], architecture()
    for package in fetch_packages(work, _PACKAGES, debian_archives, quiet):
        unpack(package, root)
    parts, port = urlsplit(store.database_url), free_port()
    (tmp_path / "users").write_text(f'"{parts.username}" "{parts.password}"\n')
    config = tmp_path / "pgbouncer.ini"
    config.write_text(
        f"[databases]\n* = host=127.0.0.1 port={parts.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
        f"listen_port = {port}\nunix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {tmp_path}/users\n"
        f"pool_mode = transaction\ndefault_pool_size = 2\n{'user = nobody' if os.geteuid() == 0 else ''}\n"
    )
    if os.geteuid() == 0:  # pgbouncer refuses to run as root
        for folder in (tmp_path, *list(tmp_path.parents)[:2]):
            folder.chmod(0o755)
    libraries = ":".join(f"{place}/usr/lib/{machine.triplet}" for place in (root, servers))
    loader = [f"{servers}/{machine.loader}", "--library-path", libraries]
    with (tmp_path / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen([*loader, f"{root}/usr/sbin/pgbouncer", str(config)], stdout=log, stderr=log)
    try:
        wait_for(lambda: b"process up" in (tmp_path / "pgbouncer.log").read_bytes(), "pgbouncer")
        yield store.database_url.replace(f":{parts.port}/", f":{port}/")
    finally:
        process.terminate()
        process.wait()


def test_reads_and_writes_go_through_a_pooler_and_listening_around_it(store: SeededStore, pooled_url: str) -> None:
    databases = Databases(listen_url=store.database_url, readers=4, writers=2)
    with answering(create_app(pooled_url, Settings(databases=databases))) as client:
        for path in ("/v1/stores/marktplatz", "/v1/stores/marktplatz/metrics/footfall", "/stores/marktplatz"):
            for _ in range(7):  # a statement is prepared at its sixth use, where that is not switched off
                answer = client.get(path)
                assert answer.status_code == 200, answer.text
        mara = HEADERS | {"Sojourn-Operator": "Mara"}
        assert client.post("/v1/note-choices/tag", json={"label": "Windy"}, headers=mara).status_code == 201
        checks = client.get("/v1/ready").json()["checks"]
        assert next(check["state"] for check in checks if check["name"] == "live") == "ok"
