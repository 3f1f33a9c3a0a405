"""The front door: one command line, thin. Its words are in `commands/`; each imports its room when it is called."""

import os
import sys
from pathlib import Path
from typing import Final, Never

import typer
from rich.console import Console

from commands import (
    access,
    archives,
    audit,
    authority,
    backup,
    converting,
    doctor,
    edges,
    floorplans,
    keys,
    models,
    privacy,
    recordings,
    services,
    trying,
    visits,
)
from core.errors import ConfigurationError, FencedError, SojournError, UnavailableError
from servers.kernel_cache import prepare, seal
from telemetry.logs import FORM_VARIABLE, configure

EXIT_CODES: Final[dict[type[SojournError], int]] = {
    ConfigurationError: os.EX_CONFIG,
    UnavailableError: os.EX_UNAVAILABLE,
    FencedError: os.EX_UNAVAILABLE,
}
"""As sysexits.h has them, so that whoever starts a service knows whether starting it again can help; else 2, as of
words that nobody knows."""

app = typer.Typer(
    help="Signals from stores, turned into zone visits with honest dwell times and consented journeys.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for words in (trying, services, doctor, backup, recordings, visits, privacy):
    app.add_typer(words.app)
app.add_typer(floorplans.app, name="floorplan")
app.add_typer(converting.app, name="convert")
app.add_typer(models.app, name="model")
app.add_typer(access.app, name="access")
app.add_typer(archives.app, name="archive")
app.add_typer(edges.app, name="edge")
app.add_typer(authority.app, name="certify")
app.add_typer(privacy.suppress, name="suppress")
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Run the command line; what is wrong becomes one sentence, not a traceback."""
    configure(os.environ.get(FORM_VARIABLE, ""))
    kernels = keep_kernels()
    try:
        app()
    except SojournError as error:
        _refuse(error)
    finally:
        if kernels is not None:
            seal(kernels)


def keep_kernels() -> Path | None:
    """Let numba keep what it compiles in the folder of this version; see `servers.kernel_cache.prepare`."""
    return prepare(sorted(Path(__file__).parent.glob("core/dwell/*_kernels.py")))


def _refuse(error: SojournError) -> Never:
    Console(stderr=True, soft_wrap=True).print(str(error), style="bold red", highlight=False, markup=False)
    sys.exit(next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), 2))


if __name__ == "__main__":
    main()
