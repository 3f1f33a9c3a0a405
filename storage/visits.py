"""Visits, presence and progress of the engines: written idempotently, so that a replay of the log changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import sql

from core.floorplan import StorePlan
from core.limits import NS_PER_S, PSEUDONYM_BYTES
from core.records import NO_ZONE, PresenceArray, VisitArray, VisitKind
from storage.connect import Connection
from storage.copy import Field, Fields, copy_columns
from storage.instants import to_datetime

_VISIT_ID_BYTES: Final = 16
_PERSON: Final = b"sojourn-visit"  # separates these hashes from any other use of BLAKE2b

_STORE_VISIT: Final[Fields] = {
    "entered_at": Field.TIMESTAMPTZ,
    "visit_id": Field.UUID,
    "store_no": Field.INT4,
    "device": Field.UUID,
    "left_at": Field.TIMESTAMPTZ,
    "entered_earliest": Field.TIMESTAMPTZ,
    "entered_latest": Field.TIMESTAMPTZ,
    "left_earliest": Field.TIMESTAMPTZ,
    "left_latest": Field.TIMESTAMPTZ,
    "dwell_s": Field.FLOAT8,
    "confidence": Field.FLOAT4,
    "signals": Field.INT4,
    "closed_by": Field.INT2,
    "revision": Field.INT4,
    "forced": Field.BOOL,
    "model_version": Field.INT4,
    "role": Field.INT2,
}
_ZONE_VISIT: Final[Fields] = {**_STORE_VISIT, "zone_no": Field.INT2}
TABLES: Final = {VisitKind.ZONE: "zone_visit", VisitKind.STORE: "store_visit"}
TABLE_FIELDS: Final[Mapping[VisitKind, Fields]] = {VisitKind.ZONE: _ZONE_VISIT, VisitKind.STORE: _STORE_VISIT}
"""The columns of each table that a visit fills, the same that `core.records.VISIT` names where it has them."""
VISIT_FIELDS: Final[Fields] = {**_ZONE_VISIT, "kind": Field.INT2}
_PRESENCE: Final[Fields] = {
    "store_no": Field.INT4,
    "device": Field.UUID,
    "zone_no": Field.INT2,
    "arrived_at": Field.TIMESTAMPTZ,
    "in_zone_since": Field.TIMESTAMPTZ,
    "last_signal_at": Field.TIMESTAMPTZ,
    "confidence": Field.FLOAT4,
    "role": Field.INT2,
}


@dataclass(frozen=True)
class Progress:
    """How far the engine of a store has come; `decided_through` is ns, None before the first signal.

    `model_version` is the model it decodes with, 0 for the priors.
    """

    log_no: int
    decoded: int
    late: int
    repeated: int
    decided_through: int | None
    model_version: int = 0


def visit_id(store: str, kind: VisitKind, device: bytes, zone: str, entered_at: int) -> bytes:
    """Return the 16 bytes that name a visit; the same visit has the same name in every run.

    Parameters
    ----------
    store, zone : str
        Ids; `zone` is empty on a store visit.
    kind : VisitKind
    device : bytes
        Its pseudonym, PSEUDONYM_BYTES bytes.
    entered_at : int
        ns.
    """
    # ids hold no NUL and the other parts have a fixed length, so no two visits spell the same
    named = f"{store}\0{kind.word}\0{zone}\0".encode() + device + entered_at.to_bytes(8, "little", signed=True)
    return blake2b(named, digest_size=_VISIT_ID_BYTES, person=_PERSON).digest()


def visit_ids(plan: StorePlan, visits: VisitArray, devices: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return `visit_id` of each visit: uint8, shape (n, 16). `devices` holds one pseudonym a row, shape (n, 16)."""
    zones = [zone.id for zone in plan.zones]
    names = b"".join(
        visit_id(plan.id, VisitKind(kind), device.tobytes(), "" if zone == NO_ZONE else zones[zone], entered_at)
        for kind, zone, entered_at, device in zip(
            visits["kind"].tolist(), visits["zone"].tolist(), visits["entered_at"].tolist(), devices, strict=True
        )
    )
    return np.frombuffer(names, np.uint8).reshape(-1, _VISIT_ID_BYTES)


def visit_columns(
    store_no: int, visits: VisitArray, devices: NDArray[np.uint8], ids: NDArray[np.uint8], model_version: int
) -> dict[str, NDArray[Any]]:
    """Return visits as the columns of VISIT_FIELDS."""
    if devices.shape != (len(visits), PSEUDONYM_BYTES):
        raise ValueError(f"devices must have the shape ({len(visits)}, {PSEUDONYM_BYTES}), not {devices.shape}")
    columns: dict[str, NDArray[Any]] = {
        name: visits[name] for name in VISIT_FIELDS if name in (visits.dtype.names or ())
    }
    columns["visit_id"] = ids
    columns["device"] = devices
    columns["store_no"] = np.full(len(visits), store_no, np.int32)
    columns["zone_no"] = visits["zone"]
    columns["dwell_s"] = (visits["left_at"] - visits["entered_at"]) / NS_PER_S
    columns["forced"] = visits["forced"] != 0
    columns["model_version"] = np.full(len(visits), model_version, np.int32)
    return columns


def save_visits(
    connection: Connection,
    store_no: int,
    plan: StorePlan,
    visits: VisitArray,
    devices: NDArray[np.uint8],
    *,
    model_version: int = 0,
) -> int:
    """Write visits; one that is there already is replaced only by a higher revision.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    store_no : int
        Of `plan` in the database.
    visits : VisitArray
        Zone and store visits.
    devices : array of uint8, shape (len(visits), 16)
        The pseudonym of each visit's device.
    model_version : int
        The model in use when they were decided; 0: the priors.

    Returns
    -------
    int
        Rows that are new or replaced another.
    """
    if len(visits) == 0:
        return 0
    rows = visit_columns(store_no, visits, devices, visit_ids(plan, visits, devices), model_version)
    create_stage(connection, "visit_stage", VISIT_FIELDS)
    copy_columns(connection, "visit_stage", VISIT_FIELDS, rows)
    # what was revised stays revised: an engine that decodes the log again finds what it reported at first
    connection.execute(
        "delete from visit_stage using visit_revision where visit_revision.visit_id = visit_stage.visit_id"
    )
    written = sum(_upsert_visits(connection, kind) for kind in VisitKind)
    connection.execute("delete from visit_stage")
    return written


def save_presence(
    connection: Connection, store_no: int, changed: PresenceArray, devices: NDArray[np.uint8], gone: NDArray[np.uint8]
) -> None:
    """Write the rows of presence that changed and remove the devices that are gone.

    Parameters
    ----------
    connection : Connection
        In a transaction.
    changed : PresenceArray
        New or changed rows; each device at most once.
    devices : array of uint8, shape (len(changed), 16)
        Their pseudonyms.
    gone : array of uint8, shape (m, 16)
        Pseudonyms of devices that left.
    """
    if len(gone):
        connection.execute(
            "delete from presence where store_no = %s and device = any(%s::uuid[])",
            [store_no, [device.tobytes().hex() for device in gone]],
        )
    if len(changed):
        rows: dict[str, NDArray[Any]] = {
            "store_no": np.full(len(changed), store_no, np.int32),
            "device": devices,
            "zone_no": changed["zone"],
            **{
                name: changed[name]
                for name in ("arrived_at", "in_zone_since", "last_signal_at", "confidence", "role")
            },
        }
        create_stage(connection, "presence_stage", _PRESENCE)
        copy_columns(connection, "presence_stage", _PRESENCE, rows)
        names = sql.SQL(", ").join(map(sql.Identifier, _PRESENCE))
        connection.execute(
            sql.SQL(
                "insert into presence ({0}) select {0} from presence_stage"
                " on conflict (store_no, device) do update set {1}"
            ).format(names, _excluded([name for name in _PRESENCE if name not in ("store_no", "device")]))
        )
        connection.execute("delete from presence_stage")


def clear_presence(connection: Connection, store_no: int) -> None:
    """Forget who is in a store; for an engine that was built anew and will write all of it."""
    connection.execute("delete from presence where store_no = %s", [store_no])


def save_progress(connection: Connection, store_no: int, progress: Progress) -> None:
    """Write how far the engine of a store has come, in the transaction that writes its visits."""
    through = None if progress.decided_through is None else to_datetime(progress.decided_through)
    connection.execute(
        "insert into engine_progress (store_no, log_no, decoded, late, repeated, decided_through, model_version,"
        " changed_at) values (%s, %s, %s, %s, %s, %s, %s, clock_timestamp()) on conflict (store_no) do update set"
        " log_no = excluded.log_no, decoded = excluded.decoded, late = excluded.late, repeated = excluded.repeated,"
        " decided_through = excluded.decided_through, model_version = excluded.model_version,"
        " changed_at = excluded.changed_at",
        [
            store_no,
            progress.log_no,
            progress.decoded,
            progress.late,
            progress.repeated,
            through,
            progress.model_version,
        ],
    )


def _upsert_visits(connection: Connection, kind: VisitKind) -> int:
    table, fields = TABLES[kind], TABLE_FIELDS[kind]
    # distinct on: a visit and its correction may come together, and one statement cannot touch a row twice
    statement = sql.SQL(
        "insert into {table} ({names})"
        " select distinct on (visit_id, entered_at) {names} from visit_stage where kind = {kind}"
        " order by visit_id, entered_at, revision desc"
        " on conflict (visit_id, entered_at) do update set {replaced} where {table}.revision < excluded.revision"
    ).format(
        table=sql.Identifier(table),
        names=sql.SQL(", ").join(map(sql.Identifier, fields)),
        kind=int(kind),
        replaced=_excluded([name for name in fields if name not in ("visit_id", "entered_at")]),
    )
    return connection.execute(statement).rowcount


def _excluded(names: list[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in names)


def create_stage(connection: Connection, name: str, fields: Fields) -> None:
    """Make a temporary table that is empty at the beginning of each transaction."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(field.type_name)) for column, field in fields.items()
    )
    connection.execute(
        sql.SQL("create temporary table if not exists {} ({}) on commit delete rows").format(
            sql.Identifier(name), columns
        )
    )
