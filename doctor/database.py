"""The database: is it there, may it be written, is it the one that this program needs, and what comes in."""

from pathlib import Path
from typing import Final

from core.errors import SojournError, UnavailableError
from doctor.clock import check_offset, offset_s
from doctor.findings import Finding, fail, ok, warn
from storage.access.grants import ungranted
from storage.connect import Connection
from storage.edition import Edition, read_edition
from storage.facts import connect_whatever, log_facts, server_facts, server_now_ns
from storage.log.ingest_status import load_status
from storage.migrate import pending
from storage.privacy.keys import LIST, PrivacyFolder
from storage.privacy.restoring import is_behind
from storage.refusals import refusal

OLDEST: Final = (2, 13)
"""The first TimescaleDB with what the migrations use."""
_CROWDED: Final = 0.8
SILENT_S: Final = 30.0
"""Ingest writes its status every five seconds."""
HEARTBEAT_S: Final = 600.0
"""Edges say something every minute at least."""


def check_database(database_url: str, privacy: Path | None = None) -> list[Finding]:
    """Look at a database, and whether it knows the list of the folder `privacy`; without one, a single finding."""
    try:
        connection = connect_whatever(database_url, application_name="sojourn doctor")
    except UnavailableError as error:
        why = refusal(error.__cause__)  # what libpq says names hosts and roles
        return [fail("database", why.says, why.do)]
    except SojournError as error:
        return [fail("database", "Its URL cannot be read.", error.hint or "It looks like postgresql://host/name.")]
    with connection:
        findings = [_server(connection), check_offset(*offset_s(lambda: server_now_ns(connection)))]
        try:
            findings += [_edition(connection), *_schema(connection)]
            if privacy is not None and (privacy / LIST).exists() and not pending(connection):
                findings.append(_erasures(connection, privacy))
        except SojournError as error:
            findings.append(fail("edition", str(error.what), error.hint or "Look at its log."))
        return findings


def _server(connection: Connection) -> Finding:
    facts = server_facts(connection)
    says = f"PostgreSQL {facts.version}, {facts.database_bytes / 1e6:,.0f} MB, {facts.connections} connections."
    if facts.standby:
        return fail(
            "database",
            f"{says} It is a standby.",
            "Name the primary too: postgresql://a,b/name takes whichever writes.",
        )
    if facts.read_only:
        return fail(
            "database", f"{says} It takes no writes.", "Look at default_transaction_read_only, and at its disk."
        )
    if facts.encoding != "UTF8":
        return fail("database", f"{says} Its encoding is {facts.encoding}.", "Make it anew with encoding UTF8.")
    if facts.connections > _CROWDED * facts.most_connections:
        return warn(
            "database", f"{says} Of {facts.most_connections} that it allows.", "Raise max_connections, or pool."
        )
    return ok("database", f"{says} A primary that takes writes.")


def _edition(connection: Connection) -> Finding:
    edition, version = read_edition(connection)
    says = f"TimescaleDB {version}, {'Apache' if edition is Edition.APACHE else 'Timescale'} edition."
    numbers = tuple(int(part) for part in version.split("-")[0].split(".")[:2])
    if numbers < OLDEST:
        return fail("edition", says, f"Sojourn needs {'.'.join(map(str, OLDEST))} or newer: update the server.")
    return ok("edition", says)


def _schema(connection: Connection) -> list[Finding]:
    lacking = pending(connection)
    if lacking:
        says = f"{len(lacking)} are to be applied, {lacking[0]} first."
        return [fail("migrations", says, "Run `sojourn migrate`; older programs may run on meanwhile.")]
    lacks = ungranted(connection)
    schema = (
        ok("migrations", "The schema is that of this program.")
        if lacks is None
        else fail("migrations", f"They did not end: {lacks}.", "Run `sojourn migrate`; it says what it lacks.")
    )
    return [schema, _ingest(connection), *_log(connection)]


def _erasures(connection: Connection, privacy: Path) -> Finding:
    if is_behind(connection, PrivacyFolder(privacy)):
        return fail(
            "erasures",
            "The database is older than its suppression list: it was restored, and knows people who were erased.",
            "Run `sojourn suppress reapply`.",
        )
    return ok("erasures", "The database knows of every erasure in the list of the privacy folder.")


def _ingest(connection: Connection) -> Finding:
    said = load_status(connection)
    start = "Start `sojourn ingest`, or look at its log."
    if said is None:
        return warn("ingest", "None has ever run on this database.", start)
    silent_s = max(server_now_ns(connection) - said.changed_at, 0) / 1e9
    if silent_s > SILENT_S:
        return fail("ingest", f"It has said nothing for {silent_s:,.0f} s.", start)
    if said.starting:
        return warn(
            "ingest",
            "It starts: it compiles its kernels, once for each version, or replays the log.",
            "Wait: kernels take half a minute of a core. Nothing is lost meanwhile.",
        )
    if not said.broker_connected:
        return fail("ingest", "It runs and has no broker.", "See the broker's line.")
    says = f"It runs; {said.batches:,} batches, {said.queued} queued, {said.parked} parked."
    if said.parked:
        return warn("ingest", says, "Sequences of an edge are missing; if it lasts, look at that edge's outbox.")
    return ok("ingest", says)


def _log(connection: Connection) -> list[Finding]:
    facts = log_facts(connection)
    if not facts.stores:
        return [warn("stores", "None is loaded.", "Run `sojourn floorplan load PLAN`.")]
    found = [ok("stores", f"{facts.stores} stores, {facts.edges} edges.")]
    if facts.newest_heartbeat_s is None or facts.newest_heartbeat_s > HEARTBEAT_S:
        says = (
            "None has told of itself yet."
            if facts.newest_heartbeat_s is None
            else f"The newest word of an edge came {facts.newest_heartbeat_s / 60:,.0f} min ago."
        )
        do = "Are edges running, and may they reach the broker? The page /fleet names them."
        found.append(warn("edges", says, do))
    else:
        found.append(ok("edges", f"The newest word of an edge came {facts.newest_heartbeat_s:.0f} s ago."))
    if facts.dropped_signals:
        says = f"In a day edges dropped {facts.dropped_signals:,} signals, {facts.dropped_by} for one."
        do = "Its outbox was full or damaged: look at its disk and network; /stores/STORE/coverage tells when."
        found.append(warn("gaps", says, do))
    if facts.faults:
        says = f"{facts.faults} faults in the last hour, most of them {facts.commonest_reason!r}."
        found.append(warn("dead letters", says, "docs/wire.md lists the reasons, table dead_letter the messages."))
    else:
        found.append(ok("dead letters", "None in the last hour."))
    return found
