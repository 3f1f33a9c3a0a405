import fcntl
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from servers.errors import FetchError, MachineError
from servers.home import lock_folder
from servers.provide import Installed, provide
from servers.unpack import is_whole, unpack
from tests.servers.machines import LocalFetch, build_package, package_of_installed, path_with, says_what_to_do

pytestmark = pytest.mark.servers
ENOUGH = 1_000_000  # these tests unpack 80 MB; the bound itself is tested by name


@pytest.fixture(scope="module")
def package(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return package_of_installed(installed.mosquitto.parents[2], tmp_path_factory.mktemp("package"))


def test_the_second_time_nothing_is_fetched(package: Path, tmp_path: Path) -> None:
    fetch = LocalFetch(package)
    told: list[str] = []
    first = provide(tmp_path, lambda what, _done: told.append(what), fetch=fetch, needed_bytes=ENOUGH)
    assert {"Fetching packages", "Unpacking"} <= set(told)
    told.clear()
    started = time.perf_counter()
    second = provide(tmp_path, lambda what, _done: told.append(what), fetch=fetch)
    assert time.perf_counter() - started < 1
    assert first == second
    assert fetch.calls == 1
    assert not told
    assert first.versions["postgres"].startswith("postgres (PostgreSQL) 17.")
    assert first.versions["mosquitto"].startswith("mosquitto version 2.")


def test_a_moved_folder_still_runs(package: Path, tmp_path: Path) -> None:
    provide(tmp_path / "here", fetch=LocalFetch(package), needed_bytes=ENOUGH)
    (tmp_path / "here").rename(tmp_path / "it's there")
    moved = provide(tmp_path / "it's there", fetch=LocalFetch(package))
    run = subprocess.run([moved.postgres, "--version"], check=True, capture_output=True, text=True)
    assert run.stdout.strip() == moved.versions["postgres"]


@pytest.mark.parametrize("damage", ["deleted", "shortened", "manifest"])
def test_a_damaged_folder_is_made_anew(package: Path, tmp_path: Path, damage: str) -> None:
    fetch = LocalFetch(package)
    installed = provide(tmp_path, fetch=fetch, needed_bytes=ENOUGH)
    victim = installed.postgres.with_name(".postgres.real")
    if damage == "deleted":
        victim.unlink()
    elif damage == "shortened":
        os.truncate(victim, 1000)
    else:
        next(tmp_path.glob("servers-*/manifest.json")).write_text('{"files": {"root')
    again = provide(tmp_path, fetch=fetch, needed_bytes=ENOUGH)
    assert fetch.calls == 2
    assert subprocess.run([again.postgres, "--version"], check=False, capture_output=True).returncode == 0


def test_a_start_killed_while_unpacking_leaves_nothing_that_the_next_one_trusts(
    package: Path, tmp_path: Path
) -> None:
    script = textwrap.dedent("""
        import sys, time
        from pathlib import Path
        from servers.provide import provide
        from tests.servers.machines import LocalFetch

        def stop_here(what, done):
            if what == "Unpacking" and done == 1.0:
                print("unpacked", flush=True)
                time.sleep(60)

        provide(Path(sys.argv[1]), stop_here, fetch=LocalFetch(Path(sys.argv[2])), needed_bytes=1)
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), str(package)], stdout=subprocess.PIPE, text=True
    ) as start:
        assert start.stdout is not None
        assert start.stdout.readline() == "unpacked\n"
        start.send_signal(signal.SIGKILL)
    assert list(tmp_path.glob(".partial-*"))
    assert not list(tmp_path.glob("servers-*"))
    fetch = LocalFetch(package)
    provide(tmp_path, fetch=fetch, needed_bytes=ENOUGH)
    assert fetch.calls == 1
    assert [entry.name for entry in tmp_path.iterdir()] == ["servers-1"]


def test_two_starts_at_once_fetch_once(package: Path, tmp_path: Path) -> None:
    fetch = LocalFetch(package)
    found: list[Installed] = []
    starts = [
        threading.Thread(target=lambda: found.append(provide(tmp_path, fetch=fetch, needed_bytes=ENOUGH)))
        for _ in range(3)
    ]
    for start in starts:
        start.start()
    for start in starts:
        start.join()
    assert len(found) == 3
    assert fetch.calls == 1


def test_who_waits_for_another_start_says_so(package: Path, tmp_path: Path) -> None:
    waiting = threading.Event()
    held = lock_folder(tmp_path)
    start = threading.Thread(
        target=provide,
        args=(tmp_path, lambda what, _done: waiting.set() if what.startswith("Waiting for another start") else None),
        kwargs={"fetch": LocalFetch(package), "needed_bytes": ENOUGH},
    )
    start.start()
    assert waiting.wait(10)
    os.close(held)
    start.join()
    assert is_whole(tmp_path / "servers-1")


def test_the_lock_vanishes_with_the_process(tmp_path: Path) -> None:
    script = "import sys, time; from pathlib import Path; from servers.home import lock_folder\n"
    script += "lock_folder(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(BlockingIOError):
            lock_folder(tmp_path)
        holder.kill()
    descriptor = lock_folder(tmp_path)
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
    assert not list(tmp_path.iterdir())  # no lock file either


def test_no_room_is_said_before_anything_is_fetched(package: Path, tmp_path: Path) -> None:
    fetch = LocalFetch(package)
    with pytest.raises(MachineError, match=r"needs \d+ MB in .* only \d+ MB are free.*SOJOURN_HOME"):
        provide(tmp_path, fetch=fetch, needed_bytes=10**18)
    assert fetch.calls == 0


def test_no_apt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", path_with(tmp_path / "bin", "sh"))
    with pytest.raises(MachineError, match="has no apt-get") as caught:
        provide(tmp_path / "home")
    assert says_what_to_do(caught.value)


def test_a_processor_that_is_not_supported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_with(tmp_path / "bin", "sh", "apt-get", "dpkg-deb", "tar", dpkg="echo riscv64")
    monkeypatch.setenv("PATH", path)
    with pytest.raises(MachineError, match="riscv64 is not supported, only amd64 and arm64") as caught:
        provide(tmp_path / "home")
    assert says_what_to_do(caught.value)


def test_a_home_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match=r"cannot be written.*SOJOURN_HOME"):
        provide(tmp_path / "file" / "home")


def test_a_package_cut_short(package: Path, tmp_path: Path) -> None:
    short = tmp_path / "short.deb"
    short.write_bytes(package.read_bytes()[: package.stat().st_size // 2])
    with pytest.raises(FetchError, match=r"short\.deb is damaged .* Start again"):
        provide(tmp_path / "home", fetch=LocalFetch(short), needed_bytes=ENOUGH)
    assert not list((tmp_path / "home").iterdir())


def test_a_package_whose_programs_do_not_run_here(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for program in ("usr/lib/postgresql/17/bin/postgres", "usr/lib/postgresql/17/bin/initdb", "usr/sbin/mosquitto"):
        (tree / program).parent.mkdir(parents=True, exist_ok=True)
        (tree / program).touch()
    with pytest.raises(FetchError, match="program postgres does not run on this machine") as caught:
        provide(tmp_path / "home", fetch=LocalFetch(build_package(tree, tmp_path)), needed_bytes=ENOUGH)
    assert says_what_to_do(caught.value)


def test_documentation_is_left_out(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("usr/share/doc/x/README", "usr/share/man/man1/x.1", "usr/bin/x", "usr/share/x/kept"):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(name)
    unpack(build_package(tree, tmp_path), tmp_path / "root")
    found = sorted(
        str(path.relative_to(tmp_path / "root")) for path in (tmp_path / "root").rglob("*") if path.is_file()
    )
    assert found == ["usr/bin/x", "usr/share/x/kept"]
