"""An edge: run it, and give it a certificate of its own."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from commands.options import AuthorityFolder, EdgeMetrics
from commands.running import stop_on_signals


class _RunsByDefault(TyperGroup):
    """`sojourn edge CONFIG` runs an edge; words that are commands are taken as such."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_RunsByDefault,
    help="An edge: `sojourn edge CONFIG` runs it; the other words give it a certificate.",
    no_args_is_help=True,
)
EdgeStore = Annotated[str, typer.Argument(metavar="STORE", help="Id of the store.")]
EdgeName = Annotated[str, typer.Argument(metavar="EDGE", help="Id of the edge.")]
STREAM = Path("-")
"""Stdin or stdout: an authority in a container does not see the files of whoever asks, nor may write beside them."""
Folder = Annotated[Path, typer.Option(help="Where the edge keeps ca.pem, certificate.pem and key.pem.")]


@app.command()
def run(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="TOML; docs/edge.md has an example.")],
    *,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the configuration is right.")] = False,
    metrics: EdgeMetrics = "",
) -> None:
    """Listen with Bluetooth adapters and publish what is heard of the devices that are ours."""
    from edge.service import run as run_edge
    from edge.settings import read_settings

    settings = read_settings(config)
    if check:
        typer.echo(f"{settings.store}/{settings.edge}: {len(settings.adapter)} adapters, {len(settings.hear)} rules")
        return
    run_edge(settings, stop_on_signals(), metrics=metrics)


@app.command()
def request(
    store: EdgeStore,
    edge: EdgeName,
    folder: Folder,
    *,
    renew: Annotated[bool, typer.Option("--renew", help="Ask for the next certificate, with a new key.")] = False,
) -> None:
    """On the edge: make a key, which stays there, and a request for its certificate."""
    from edge.enrolment import request as ask

    made = ask(folder, store, edge, renew=renew)
    typer.echo(f"Carry {made} to whoever keeps the authority: `sojourn edge sign {store} {edge} {made.name}`.")


@app.command()
def sign(
    store: EdgeStore,
    edge: EdgeName,
    request_file: Annotated[Path, typer.Argument(metavar="REQUEST", help="request.pem of the edge; -: stdin.")],
    authority: AuthorityFolder,
    out: Annotated[Path, typer.Option(help="The certificate, to be carried back; -: stdout.")] = Path("signed.pem"),
) -> None:
    """Where the authority is: sign the request of this edge."""
    from authority.authority import Authority

    signed = Authority(authority).sign(_content(request_file), store, edge, datetime.now(UTC))
    if out == STREAM:
        typer.echo(signed, nl=False)
        return
    _write(out, signed)
    typer.echo(f"Carry {out} back to the edge: `sojourn edge accept {out.name} --folder FOLDER`. It is no secret.")


@app.command()
def accept(
    signed: Annotated[Path, typer.Argument(metavar="SIGNED", help="What `sojourn edge sign` wrote.")],
    folder: Folder,
    *,
    new_authority: Annotated[
        bool, typer.Option("--new-authority", help="It may be from another authority than before.")
    ] = False,
) -> None:
    """On the edge: put the signed certificate in place; a running edge takes it with its next connection."""
    from edge.enrolment import accept as put_in_place

    made = put_in_place(folder, _content(signed), new_authority=new_authority)
    typer.echo(
        f"In place until {made.not_valid_after_utc:%Y-%m-%d}: ca, certificate and key of [broker] in {folder}."
    )


@app.command()
def enrol(
    store: EdgeStore,
    edge: EdgeName,
    authority: AuthorityFolder,
    out: Annotated[Path, typer.Option(help="Folder for ca.pem, certificate.pem and key.pem.")],
) -> None:
    """Where the authority is: make key and certificate in one go. For an edge elsewhere, `request` is better."""
    from authority.authority import Authority

    Authority(authority).enrol(store, edge, out, datetime.now(UTC))
    typer.echo(f"{store}/{edge} may speak at the broker with what is in {out}.")


def _content(path: Path) -> bytes:
    from core.errors import InputError

    if path == STREAM:
        return sys.stdin.buffer.read()
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}.", hint="Is the path right, and may this user read it?"
        ) from error


def _write(path: Path, content: bytes) -> None:
    from core.errors import UnavailableError

    try:
        path.write_bytes(content)
    except OSError as error:
        raise UnavailableError(
            f"{path} cannot be written: {error.strerror}.", hint="Name a file that this user may write: --out."
        ) from error
