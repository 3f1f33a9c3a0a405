"""`make security`: known flaws of packages, bandit's rules, secrets. `--sbom FILE` says what such a bill holds."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.security.secrets import secrets_of

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("runtime", "dev")


def flaws() -> tuple[str, bool]:
    """Ask pip-audit of every locked package; a package that the index does not tell of is no clean one."""
    told = []
    bad = False
    for lock in LOCKS:
        ran = subprocess.run(
            [
                ROOT / ".cache/security/bin/pip-audit", "--disable-pip", "--require-hashes", "--no-deps",
                "--progress-spinner", "off", "--format", "json", "-r", ROOT / f"requirements/{lock}.lock",
            ],
            capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        try:
            packages: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
        except (ValueError, KeyError):
            told.append(f"{lock}.lock: not looked at, the index does not answer")
            continue
        skipped = sum("skip_reason" in one for one in packages)
        flawed = [
            f"{one['name']} {one['version']}: {flaw['id']}" for one in packages for flaw in one.get("vulns", [])
        ]
        bad = bad or bool(flawed)
        told.append(
            f"{lock}.lock: {len(packages) - skipped} of {len(packages)} packages looked at, {len(flawed)} known flaws"
            + (" (the index's advisories are away here: look again where they are)" if skipped else "")
        )
        told += [f"  {one}" for one in flawed]
    return "\n".join(told), bad


def rules() -> tuple[str, bool]:
    """Count what ruff's S rules find: those of bandit, in the tool that is there already."""
    ran = subprocess.run(
        [ROOT / ".venv/bin/ruff", "check", "--select", "S", "--output-format", "json", ROOT],
        capture_output=True, text=True, check=False, cwd=ROOT,
    )  # fmt: skip
    found = json.loads(ran.stdout)
    marked = subprocess.run(["git", "grep", "-c", "noqa: S"], capture_output=True, text=True, check=False, cwd=ROOT)
    excepted = sum(int(line.rsplit(":", 1)[1]) for line in marked.stdout.split())
    return f"bandit's rules: {len(found)} findings, {excepted} lines are excepted with their reason", bool(found)


def secrets() -> tuple[str, bool]:
    read, found = secrets_of(ROOT)
    return "\n".join([f"secrets: {len(found)} in {read} files", *(f"  {one}" for one in found)]), bool(found)


def bill(path: Path) -> tuple[str, bool]:
    """Say what a bill of materials holds, and whether that is something else than the packages of the service."""
    listed = {f"{one['name']}=={one['version']}" for one in json.loads(path.read_text())["components"]}
    locked = set(re.findall(r"^([\w.-]+==[^\s;\\]+)", (ROOT / "requirements/runtime.lock").read_text(), re.MULTILINE))
    said = f"{path}: {len(listed)} components with name, version and package URL, of {len(locked)} locked packages"
    return "\n".join([said, *(f"  not in both: {one}" for one in sorted(listed ^ locked))]), listed != locked


if __name__ == "__main__":
    if sys.argv[1:2] == ["--sbom"]:
        said, bad = bill(Path(sys.argv[2]))
        print(said)
        sys.exit(bad)
    looked = [flaws(), rules(), secrets()]
    print("\n".join(said for said, _ in looked))
    sys.exit(any(bad for _, bad in looked))
