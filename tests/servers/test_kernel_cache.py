"""Compiled kernels: one folder for each version, and nothing damaged is ever executed."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from servers.kernel_cache import intact, prepare, seal, seal_compiled

TOP = Path(__file__).parents[2]
PROGRAM = """
import sys
from pathlib import Path
from servers.kernel_cache import prepare, seal
folder = prepare([Path(sys.argv[1])])
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from own_kernels import answer
print(answer(40), sum(answer.stats.cache_hits.values()))
seal(folder)
"""
KERNEL = """
from numba import njit

@njit(cache=True)
def answer(start):
    return start + 2
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "own_kernels.py"
    path.write_text(KERNEL)
    return path


MAKER = """
import sys
from pathlib import Path
from servers.kernel_cache import prepare, seal
folder = prepare([Path(sys.argv[1])])
for name in ("a.nbi", "b.nbi"):
    (folder / name).write_bytes(b"one.")
seal(folder)
(folder / "b.nbi").write_bytes(b"one and two.")
(folder / "c.nbi").write_bytes(b"one.")
print(folder, flush=True)
sys.stdin.read()
"""
"""A process that has sealed two kernels, goes on compiling one of them and another, and then waits."""


@contextmanager
def a_living_maker(tmp_path: Path, source: Path) -> Iterator[Path]:
    """A process that compiles; killed in the end."""
    environment = {**os.environ, "SOJOURN_HOME": str(tmp_path / "home"), "PYTHONPATH": str(TOP)}
    environment.pop("NUMBA_CACHE_DIR", None)
    command = [sys.executable, "-c", MAKER, str(source)]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as maker:
        assert maker.stdout is not None
        try:
            yield Path(maker.stdout.readline().strip())
        finally:
            maker.kill()


def kernels_in(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.nbi")}


def a_folder(tmp_path: Path, source: Path) -> Path:
    folder = prepare([source], {"SOJOURN_HOME": str(tmp_path / "home")})
    assert folder is not None
    return folder


def run(source: Path, home: Path) -> tuple[int, int]:
    """Return the kernel's answer and how often numba took it from its cache."""
    own = {name: value for name, value in os.environ.items() if name not in {"NUMBA_CACHE_DIR", "NUMBA_DISABLE_JIT"}}
    environment = {**own, "SOJOURN_HOME": str(home), "PYTHONPATH": str(TOP)}
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, source], env=environment, check=True, capture_output=True, text=True
    )
    answer, hits = map(int, said.stdout.split())
    return answer, hits


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))  # a disk that forgets does not tell


def empty(path: Path) -> None:
    path.write_bytes(b"")


def zeros(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-512] + bytes(512))


@pytest.fixture(scope="module")
def warm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A kernel and a home in which it was compiled and loaded again."""
    top = tmp_path_factory.mktemp("warm")
    source, home = top / "own_kernels.py", top / "home"
    source.write_text(KERNEL)
    assert run(source, home) == (42, 0)
    assert run(source, home) == (42, 1)
    return source, home


@pytest.mark.parametrize(("damage", "ending"), [(flip, ".nbc"), (empty, ".nbi"), (zeros, ".nbc")])
def test_what_is_damaged_is_compiled_anew(
    warm: tuple[Path, Path], damage: Callable[[Path], None], ending: str
) -> None:
    source, home = warm
    (kept,) = home.rglob(f"*{ending}")
    damage(kept)
    assert run(source, home) == (42, 0)


def test_other_sources_have_another_folder(tmp_path: Path, source: Path) -> None:
    before = a_folder(tmp_path, source)
    assert a_folder(tmp_path, source) == before
    source.write_text(KERNEL.replace("+ 2", "+ 3"))
    assert a_folder(tmp_path, source) != before
    assert before.is_dir(), "an upgrade that is taken back finds its own again"


def test_few_folders_are_kept(tmp_path: Path, source: Path) -> None:
    for number in range(8):
        source.write_text(f"{KERNEL}# {number}")
        newest = a_folder(tmp_path, source)
    kept = list((tmp_path / "home" / "kernels").iterdir())
    assert newest in kept
    assert len(kept) == 5


def test_a_file_that_is_written_again_is_no_damage(tmp_path: Path, source: Path) -> None:
    folder = a_folder(tmp_path, source)
    index = folder / "a.nbi"
    index.write_bytes(b"one.")
    seal(folder)
    index.write_bytes(b"one and two.")
    assert intact(folder)
    seal(folder)
    flip(index)
    assert not intact(folder)


@pytest.mark.parametrize("nonsense", [None, b"\xff\x00 nonsense"])
def test_what_nobody_sealed_is_not_loaded(tmp_path: Path, source: Path, nonsense: bytes | None) -> None:
    with a_living_maker(tmp_path, source) as folder:
        pass  # killed: the disk may have flipped since what it had not sealed
    if nonsense is not None:
        (folder / "seal").write_bytes(nonsense)
    assert a_folder(tmp_path, source) == folder
    assert kernels_in(folder) == ({"a.nbi"} if nonsense is None else set())


def test_what_a_living_process_compiles_stays(tmp_path: Path, source: Path) -> None:
    with a_living_maker(tmp_path, source) as folder:
        assert a_folder(tmp_path, source) == folder
        assert kernels_in(folder) == {"a.nbi", "b.nbi", "c.nbi"}


def test_a_kernel_is_sealed_once_it_is_compiled(tmp_path: Path, source: Path) -> None:
    environment = {"SOJOURN_HOME": str(tmp_path / "home")}
    folder = prepare([source], environment)
    assert folder is not None
    (folder / "a.nbi").write_bytes(b"one.")
    seal_compiled(environment)
    assert a_folder(tmp_path, source) == folder
    assert (folder / "a.nbi").exists(), "it would be compiled at each start"
    flip(folder / "a.nbi")
    assert a_folder(tmp_path, source) == folder
    assert not (folder / "a.nbi").exists()


def test_who_names_a_cache_keeps_it(tmp_path: Path, source: Path) -> None:
    environment = {"SOJOURN_HOME": str(tmp_path / "home"), "NUMBA_CACHE_DIR": "/somewhere"}
    assert prepare([source], environment) is None
    assert environment["NUMBA_CACHE_DIR"] == "/somewhere"
    assert not (tmp_path / "home").exists()


def test_without_a_place_numba_chooses(tmp_path: Path, source: Path) -> None:
    (tmp_path / "home").write_text("a file where the private folder should be")
    environment = {"SOJOURN_HOME": str(tmp_path / "home")}
    assert prepare([source], environment) is None
    assert "NUMBA_CACHE_DIR" not in environment
