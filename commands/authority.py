"""The private authority: who may speak at the broker, until when."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from commands.options import AuthorityFolder

app = typer.Typer(
    help="The private authority: certificates of broker, services and servers, passwords of gateways, revocation.",
    no_args_is_help=True,
)
_RELOAD = "Let the broker read it: `systemctl reload mosquitto` (a copy elsewhere first: broker/ of the authority)."
Out = Annotated[Path, typer.Option(help="Folder for ca.pem, certificate.pem and key.pem.")]


@app.command()
def broker(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST…", help="Each name and address that it is reached by.")],
    authority: AuthorityFolder,
) -> None:
    """Make or renew the broker's certificate and all that mosquitto reads; the first time also the authority."""
    from authority.authority import Authority

    made = Authority.create(authority, _now())
    made.equip_broker(hosts, _now())
    typer.echo(f"{made.broker_folder} is for mosquitto (deploy/mosquitto.conf). {_RELOAD}")
    typer.echo(f"Keep {authority}/ca.key.pem where nobody else reads it: whoever has it can be any edge.")


@app.command()
def house(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST…", help="Each name and address of the broker.")],
    authority: AuthorityFolder,
    out: Annotated[Path, typer.Option(help="Takes a folder of credentials for each service.")],
    *,
    kafka_ingests: Annotated[
        int, typer.Option(min=0, max=32, help="Identities for so many ingests on Kafka, in one folder kafka-ingest.")
    ] = 0,
) -> None:
    """Make what is missing or ends within a month: authority, broker, ingest, apps. Meant to be run at each start."""
    from authority.authority import Authority
    from authority.house import equip

    made = equip(Authority.create(authority, _now()), hosts, out, _now(), members=kafka_ingests)
    typer.echo(f"Made or renewed: {', '.join(made)}." if made else "Everything holds for more than a month.")


@app.command()
def service(
    name: Annotated[str, typer.Argument(metavar="NAME", help="ingest, app-presence, operator, recorder, …")],
    authority: AuthorityFolder,
    out: Out,
) -> None:
    """Make or renew the certificate of a service of ours."""
    from authority.authority import Authority

    Authority(authority).certify_service(name, out, _now())
    typer.echo(f"{name} may speak at the broker: set SOJOURN_MQTT_CREDENTIALS={out} for it.")


@app.command()
def server(
    hosts: Annotated[list[str], typer.Argument(metavar="HOST…", help="Each name and address that it is reached by.")],
    authority: AuthorityFolder,
    out: Out,
) -> None:
    """Make or renew a certificate for the API; browsers that are to trust it need ca.pem."""
    from authority.authority import Authority

    Authority(authority).certify_server(hosts, out, _now())
    typer.echo(f"sojourn api --tls-cert {out}/certificate.pem --tls-key {out}/key.pem")


@app.command(name="gateway")
def add_gateway(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Its user name at the broker.")],
    authority: AuthorityFolder,
    writes: Annotated[list[str] | None, typer.Option(help="A topic that it may write; may be given again.")] = None,
    reads: Annotated[list[str] | None, typer.Option(help="A topic that it may read; may be given again.")] = None,
    *,
    remove: Annotated[bool, typer.Option("--remove", help="Let it in no more.")] = False,
) -> None:
    """Let in a gateway bought elsewhere, or an app, by password, for these topics only; a new password each time."""
    from authority.authority import Authority

    made = Authority(authority)
    if remove:
        made.remove_gateway(name, _now())
        typer.echo(f"{name} is removed. {_RELOAD}")
        return
    password = made.add_gateway(name, writes or [], reads or [], _now())
    typer.echo(f"user name {name}\npassword  {password}\n")
    typer.echo(f"It is shown this once. {_RELOAD}")


@app.command()
def revoke(
    identity: Annotated[str, typer.Argument(metavar="IDENTITY", help="STORE/EDGE or a service, as `list` shows it.")],
    authority: AuthorityFolder,
) -> None:
    """Revoke all certificates of an edge, a service or a server."""
    from authority.authority import Authority

    count = Authority(authority).revoke(identity, _now())
    typer.echo(
        f"{identity}: {count} revoked. Restart the broker (`systemctl restart mosquitto`, a copy of broker/ first):"
        " a reload keeps it from coming in, but a connection that stands would stay. Edges are back within seconds."
    )


@app.command(name="list")
def list_(
    authority: AuthorityFolder,
    ending: Annotated[
        int | None, typer.Option("--ending", min=0, help="Only those that end within so many days.")
    ] = None,
) -> None:
    """Show what was signed, until when it holds, and who comes by password."""
    from authority.authority import Authority

    made, now = Authority(authority), _now()
    for one in made.issued():
        left = (one.ends - now).days
        if ending is not None and (left > ending or one.revoked_at is not None):
            continue
        state = "revoked" if one.revoked_at is not None else "ended" if one.ends <= now else f"{left} days left"
        typer.echo(f"{one.ends:%Y-%m-%d}  {state:<14}  {one.identity}  {one.serial[:16]}")
    if ending is None:
        for name, gateway in sorted(made.gateways().items()):
            writes, reads = (", ".join(topics) or "-" for topics in (gateway.writes, gateway.reads))
            typer.echo(f"password  {name}  writes {writes}  reads {reads}")


def _now() -> datetime:
    return datetime.now(UTC)
