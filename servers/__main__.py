"""`python -m servers [--with-chromium]`: fetch what is missing before tests start, and say what there is."""

import os
import sys

from rich.console import Console

from servers.chromium import provide_chromium
from servers.errors import OWN_SERVERS, ServersError
from servers.provide import provide
from servers.show import shown


def main(arguments: list[str]) -> int:
    """Fetch the servers, and with `--with-chromium` a browser; return the exit code."""
    console = Console(stderr=True)
    try:
        with shown(console) as progress:
            installed = provide(progress=progress)
        versions = installed.versions
        console.print(f"{versions['postgres']}, TimescaleDB {versions['timescaledb']}, {versions['mosquitto']}")
    except ServersError as error:
        # a test stops and kills its servers, so somebody's own would not do
        hint = error.hint.replace(OWN_SERVERS, "Tests need servers of their own: run them on Debian or Ubuntu.")
        console.print(f"[red]{error.what} {hint}[/red]")
        return 1
    if "--with-chromium" not in arguments:
        return 0
    try:
        with shown(console) as progress:
            console.print(f"Chromium: {provide_chromium(progress=progress)}")
    except ServersError as error:
        console.print(f"[yellow]No Chromium, so the browser tests cannot run. {error.what} {error.hint}[/yellow]")
        return 1 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
