"""Machines that lack something, made at their edge: a PATH, an archive, a package."""

import shutil
import subprocess
from pathlib import Path

from servers.apt import Progress
from servers.errors import ServersError


def path_with(folder: Path, *programs: str, **scripts: str) -> str:
    """Make a PATH that holds only these programs of this machine, and these shell scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    for program in programs:
        real = shutil.which(program)
        assert real is not None, program
        (folder / program).symlink_to(real)
    for name, body in scripts.items():
        script = folder / name.replace("_", "-")
        script.write_text(f"#!/bin/sh\n{body}\n")
        script.chmod(0o755)
    return str(folder)


def build_package(tree: Path, into: Path, name: str = "servers") -> Path:
    """Build an uncompressed Debian package of a folder's files."""
    control = tree / "DEBIAN"
    control.mkdir()
    (control / "control").write_text(
        f"Package: {name}\nVersion: 1\nArchitecture: all\nMaintainer: a <b@c>\nDescription: for tests\n"
    )
    package = into / f"{name}.deb"
    try:
        subprocess.run(
            ["dpkg-deb", "-Znone", "--root-owner-group", "--build", tree, package], check=True, capture_output=True
        )
    finally:
        shutil.rmtree(control)
    return package


def package_of_installed(installed_root: Path, into: Path) -> Path:
    """Build one package of the real servers as they were before their programs were wrapped."""
    tree = into / "tree"
    subprocess.run(["cp", "-a", installed_root, tree], check=True)
    for real in tree.rglob(".*.real"):
        real.rename(real.with_name(real.name.removeprefix(".").removesuffix(".real")))
    package = build_package(tree, into)
    shutil.rmtree(tree)
    return package


class LocalFetch:
    """Stands where the packages are fetched: gives one that is there, counts how often it was asked.

    Parameters
    ----------
    package : Path
        The package file.
    """

    def __init__(self, package: Path) -> None:
        self.package = package
        self.calls = 0

    def __call__(self, work: Path, progress: Progress) -> list[Path]:
        self.calls += 1
        progress("Fetching packages", 1.0)
        return [Path(shutil.copy(self.package, work))]


def says_what_to_do(error: ServersError) -> bool:
    """Say whether an error names both addresses and the compose file, in one line."""
    text = str(error)
    wanted = ("SOJOURN_DATABASE_URL", "SOJOURN_MQTT_URL", "deploy/compose.yaml")
    return all(word in text for word in wanted) and "\n" not in text
