"""`python -m docs.site --out .cache/site`: stage the pages, build them strictly, check every link."""

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from api.app import create_app
from docs.site.links import check
from docs.site.reference import reference
from docs.site.staging import stage

_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"


def main(arguments: list[str]) -> int:
    """Build; 0 if it is whole."""
    parser = argparse.ArgumentParser(prog="python -m docs.site", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(".cache/site"))
    parser.add_argument("--external", action="store_true", help="list the addresses elsewhere that are linked to")
    asked = parser.parse_args(arguments)
    begun_s = time.monotonic()
    work = asked.out.with_name("site-source")
    pages = reference(create_app(_NO_DATABASE).openapi())
    stage(work, pages)
    build = [sys.executable, "-c", "from zensical.main import cli; cli()", "build", "--strict", "--clean"]
    run = subprocess.run(build, cwd=work, check=False)
    if run.returncode:
        return run.returncode
    shutil.rmtree(asked.out, ignore_errors=True)
    (work / "site").rename(asked.out)
    found = check(asked.out)
    for line in found.broken:
        print(line, file=sys.stderr)
    if asked.external:
        print("\n".join(sorted(found.external)))
    count = len(list(asked.out.rglob("*.html")))
    print(
        f"{count} pages in {asked.out} ({time.monotonic() - begun_s:.0f} s), {len(found.broken)} broken links,"
        f" {len(found.external)} addresses elsewhere (not asked; `--external` lists them)"
    )
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
