"""Who may log in and which programs have keys, for whoever has the database's address."""

from datetime import timedelta
from typing import Annotated

import typer

from commands.options import DatabaseUrl

app = typer.Typer(help="People who may log in, and keys of programs.", no_args_is_help=True)
key_app = typer.Typer(help="Keys of programs.", no_args_is_help=True)
app.add_typer(key_app, name="key")

_BY = "command line"
Name = Annotated[str, typer.Argument(metavar="NAME", help="What is typed at login.")]
Roles = Annotated[list[str], typer.Option("--role", help="operations, crm, privacy, admin or edge; may be repeated.")]
Stores = Annotated[list[str] | None, typer.Option("--store", help="Only these stores (ids); may be repeated.")]
KeyNo = Annotated[int, typer.Argument(metavar="NUMBER", help="As `access key list` shows it.")]


@app.command()
def add(
    name: Name,
    roles: Roles,
    database_url: DatabaseUrl,
    stores: Stores = None,
    display_name: Annotated[str, typer.Option("--shown-as", help="The name that others see.")] = "",
) -> None:
    """Let somebody in; prints the one-time secret of the first login."""
    from storage.access.by_hand import add_person

    secret = add_person(database_url, name, display_name or name, roles, stores, by=_BY)
    typer.echo(secret)


@app.command()
def reset(
    name: Name,
    database_url: DatabaseUrl,
    second_step: Annotated[
        bool, typer.Option("--second-step", help="Take that away too: phone and recovery codes are lost.")
    ] = False,
) -> None:
    """Give somebody a new one-time secret; password and sessions end, a second step stays."""
    from storage.access.by_hand import reset_person

    typer.echo(reset_person(database_url, name, second_step=second_step))


@app.command(name="list")
def list_people(database_url: DatabaseUrl) -> None:
    """List who may log in."""
    from storage.access.by_hand import people

    for person in people(database_url):
        stores = ", ".join(person.stores) if person.stores is not None else "every store"
        out = "  (shut out)" if person.disabled_at is not None else ""
        typer.echo(f"{person.name}\t{person.display_name}\t{', '.join(person.roles)}\t{stores}{out}")


@key_app.command(name="make")
def make_key(  # noqa: PLR0917 - typer's options
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for.")],
    roles: Roles,
    database_url: DatabaseUrl,
    stores: Stores = None,
    days: Annotated[int, typer.Option(min=1, max=366, help="How long it holds.")] = 90,
    owner: Annotated[str, typer.Option(help="Login name of whoever it works for: the audit names them.")] = "",
) -> None:
    """Make a key; it is printed once."""
    from storage.access.by_hand import add_program

    typer.echo(add_program(database_url, name, roles, stores, holds_for=timedelta(days=days), by=_BY, owner=owner))


@key_app.command(name="rotate")
def rotate_key(key_no: KeyNo, database_url: DatabaseUrl) -> None:
    """Make another key with the same scopes; the old one holds for a day more."""
    from storage.access.by_hand import rotate_program

    typer.echo(rotate_program(database_url, key_no, by=_BY))


@key_app.command(name="revoke")
def revoke_key(key_no: KeyNo, database_url: DatabaseUrl) -> None:
    """Let a key hold no longer, at once."""
    from storage.access.by_hand import revoke_program

    revoke_program(database_url, key_no)


@key_app.command(name="list")
def list_keys(database_url: DatabaseUrl) -> None:
    """List the keys, without the keys."""
    from storage.access.by_hand import programs

    for key in programs(database_url):
        stores = ", ".join(key.stores) if key.stores is not None else "every store"
        state = f"until {key.ends_at:%Y-%m-%d}" if key.holds else "holds no longer"
        owner = f"for {key.owner}" if key.owner is not None else "for the house"
        typer.echo(f"{key.key_no}\t{key.prefix}…\t{key.name}\t{owner}\t{', '.join(key.roles)}\t{stores}\t{state}")
