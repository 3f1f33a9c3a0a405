"""Stable keys of pseudonyms: rotated, linked anew, retired."""

from pathlib import Path
from typing import Annotated

import typer

from commands.options import DatabaseUrl
from commands.running import database

app = typer.Typer(help="Stable keys of an edge's pseudonyms: rotate, relink, retire.", no_args_is_help=True)
Folder = Annotated[Path, typer.Argument(metavar="KEYS", help="Key folder of the edges of a store.")]


@app.command("rotate")
def keys_rotate(folder: Folder) -> None:
    """Make a new stable key; devices of customers keep their pseudonyms until they are relinked."""
    from core.errors import ConfigurationError
    from edge.pseudonyms import KeyRing

    if not folder.is_dir():  # a mistyped name would else become a folder of its own, and nothing be rotated
        raise ConfigurationError(f"There is no key folder {folder}.", hint="Name that of the store's edges.")
    version = KeyRing(folder).rotate()
    typer.echo(f"Version {version} is in use. Once customers' devices were heard: sojourn keys relink {folder}")


@app.command("relink")
def keys_relink(folder: Folder, database_url: DatabaseUrl) -> None:
    """Link what devices are called under the new key to their profiles; both hold. Run it again as they come."""
    from edge.pseudonyms import KeyRing, read_consented, read_renamed, write_consented
    from storage.connect import in_transaction
    from storage.identity.relinking import NewName, relink

    ring = KeyRing(folder)
    names = [NewName(*one) for one in read_renamed(ring.folder)]
    consented = read_consented(ring.folder)
    with database(database_url) as connection:
        done = in_transaction(connection, lambda connection: relink(connection, names))
    write_consented(ring.folder, consented | set(done.devices))
    typer.echo(
        f"{done.made} devices linked anew, {len(names)} heard since the rotation, {len(consented)} on the list."
    )


@app.command("consented")
def keys_consented(folder: Folder, database_url: DatabaseUrl) -> None:
    """Write whose consent holds now to the list of the edges, and nobody else; run it as often as customers come."""
    from edge.pseudonyms import KeyRing, read_consented, write_consented
    from storage.privacy.withdrawn import consented_devices

    ring = KeyRing(folder)
    before = read_consented(ring.folder)
    with database(database_url) as connection:
        now = consented_devices(connection)
    write_consented(ring.folder, now)
    typer.echo(f"{len(now)} devices on the list: {len(now - before)} new, {len(before - now)} taken off.")


@app.command("retire")
def keys_retire(
    folder: Folder,
    version: Annotated[int, typer.Argument(min=1, help="An older version.")],
    *,
    database_url: DatabaseUrl,
    lose: Annotated[
        bool, typer.Option("--lose", help="Also where devices were not heard since the rotation.")
    ] = False,
) -> None:
    """Destroy an older key and end the links under it; what was joined stays joined."""
    from core.errors import ConfigurationError
    from edge.pseudonyms import KeyRing, read_consented, read_renamed, write_consented
    from storage.connect import in_transaction
    from storage.identity.relinking import end_links, left_behind

    ring = KeyRing(folder)
    renamed = {one.before: one.now for one in read_renamed(ring.folder) if one.before_version == version}
    consented = read_consented(ring.folder)
    # what is neither called anew nor a new name is of this version, or of one before
    unheard = [device for device in consented if device not in renamed and device not in renamed.values()]
    with database(database_url) as connection:
        lost = left_behind(connection, [*unheard, *(renamed.keys() & consented)])
        if lost and not lose:
            raise ConfigurationError(
                f"{lost} devices were not linked anew; they would be strangers.",
                hint="Wait until they come, run `sojourn keys relink`, or add --lose.",
            )
        gone = [*renamed, *(unheard if lose else [])]
        if not ring.retire(version):
            raise ConfigurationError(f"Version {version} is in use, or not here.", hint=f"Look into {folder}.")
        ended = in_transaction(connection, lambda connection: end_links(connection, gone))
    write_consented(ring.folder, consented - set(gone))
    typer.echo(f"Version {version} is destroyed; {ended} links have ended.")
