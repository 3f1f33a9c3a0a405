"""What reads bytes from outside, each as a function of bytes that raises only where something is broken.

An error of ours (SojournError) is the right answer to damaged input; any other exception, a changed value or an
answer that contradicts itself is a finding.
"""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from core import floorplan, wire
from core.advertisement import TILT, Advertisement, Identities, Rule, read_payload, read_pdu, with_known
from core.beacon_frames import read_telemetry
from core.bthome import read_bthome
from core.dwell import model, snapshot
from core.dwell.engine import StoreEngine
from core.dwell.sample import Sample
from core.errors import SojournError, WireError
from core.records import SignalArray
from edge.broker import Broker, Topics
from edge.clock import Clock
from edge.gateways.formats import TRANSLATORS
from edge.gateways.heard import MOST_HEARD
from edge.outbox import Entry, Outbox
from edge.publisher import Publisher, _Link
from edge.remote import RemoteControl
from edge.scanner import Listening
from edge.settings import EdgeSettings
from ingest.acceptance import accept
from ingest.messages import Arrival, read
from simulators.recordings.csv import CsvRecording
from simulators.recordings.parquet import ParquetRecording
from simulators.recordings.rejects import Rejects
from simulators.recordings.rows import Recording
from simulators.recordings.salrb import convert_salrb
from simulators.recordings.signals import StoreRows
from simulators.recordings.table import convert_table
from simulators.recordings.tetam import convert_tetam
from simulators.recordings.visits import read_visits
from simulators.replay.files import read_plan
from simulators.replay.lanes import run
from simulators.replay.models import read_models
from simulators.replay.survey import read_survey
from tests.fuzz import seeds

PLAN: Final = floorplan.load(seeds.PLAN)
STORE: Final = PLAN.stores[0]
RECEIVED_AT: Final = seeds.START_NS + 10**9


@dataclass(frozen=True)
class _Received:
    """A message as ingest sees it."""

    topic: str
    payload: bytes
    received_at: int = RECEIVED_AT
    retain: bool = False


class _Lane:
    """One store on its way through a recording: its signals, counted."""

    def __init__(self, store: floorplan.StorePlan) -> None:
        self.signals = 0
        self.rows = StoreRows(store, Sample(1).number)

    def take(self, signals: SignalArray) -> None:
        """Take in the store's next signals."""
        self.signals += len(signals)


def batch(data: bytes) -> None:
    """The batch decoder, and what ingest does with what it gives."""
    arrival = read(_Received("sojourn/1/s1/e1/signals", data))
    decoded = None
    with suppress(WireError):
        decoded = wire.decode(data)
    if decoded is None:
        named = wire.identity(data)
        assert (named is not None) == isinstance(arrival, Arrival), "a batch with a name was passed over"
        assert not isinstance(arrival, Arrival) or (arrival.boot, arrival.last) == named, "another name"
        assert not isinstance(arrival, Arrival) or arrival.fault is not None, "no fault is told"
        return
    assert wire.identity(data) == (decoded.boot, decoded.sequence), "the name differs"
    assert isinstance(arrival, Arrival), "read as something else"
    assert 1 <= arrival.first <= arrival.last, "a gap before the beginning"
    judged = accept(decoded, STORE, RECEIVED_AT)
    refused = sum(reject.signals for reject in judged.rejects)
    kept = 0 if judged.batch is None else len(judged.batch)
    assert kept + refused == len(decoded), "a signal was lost or counted twice"
    if judged.batch is not None:
        with suppress(WireError):  # our own compression may be weaker than its sender's
            same(wire.decode(wire.encode(judged.batch)), judged.batch)


def same(one: wire.Batch, other: wire.Batch) -> None:
    """Hold that two batches say the same."""
    assert (one.boot, one.sequence, one.anchors, one.gap) == (other.boot, other.sequence, other.anchors, other.gap)
    assert np.array_equal(one.devices, other.devices), "devices"
    assert np.array_equal(one.ts, other.ts), "times"
    assert np.array_equal(one.anchor, other.anchor), "anchors"
    assert np.array_equal(one.device, other.device), "device of a row"
    assert np.array_equal(one.rssi_dbm, other.rssi_dbm.clip(-128, 127)), "levels"


def status(data: bytes) -> None:
    """What an edge says about itself."""
    read(_Received("sojourn/1/s1/e1/status", data))


def committed(data: bytes) -> None:
    """What an edge is told that the database has, down to its outbox."""
    link, (publisher, outbox) = _Link(), _edge()
    link.on_message(None, None, _Received("sojourn/1/s1/e1/committed", data))  # type: ignore[arg-type]
    at = link._committed.get(_BOOT, 0)
    publisher._take_notice(link)
    if at > _WAITING:  # more than was ever sent: not ours
        at = 0
    assert outbox.rows == _WAITING - at, "something else went than what was told"
    if at:
        outbox.acknowledge(_BOOT, _WAITING)
        outbox.append(_BATCHES, at_ns=0)


_BOOT: Final = bytes(wire.BOOT_BYTES)
_WAITING: Final = 9  # the seed tells of seven
_BATCHES: Final = [Entry(_BOOT, n, b"", 1, n, n) for n in range(1, _WAITING + 1)]


@cache
def _edge() -> tuple[Publisher, Outbox]:
    """Return a publisher and its outbox, in which as many batches of one boot wait before every input."""
    outbox = Outbox(_folder() / "outbox", lambda _dropped: b"")
    outbox.append(_BATCHES, at_ns=0)
    broker, topics = Broker.from_url("mqtt://127.0.0.1"), Topics("s1", "e1")
    return Publisher(broker, topics, outbox, Clock(), lambda _state: b""), outbox


def plan(data: bytes) -> None:
    """A floor plan."""
    with suppress(SojournError):
        read_plan(_file("plan.json", data))


def recording_csv(data: bytes) -> None:
    """A recording as CSV, to its last row."""
    with suppress(SojournError):
        _through(CsvRecording(_file("recording.csv", data), block_bytes=1024))


def recording_parquet(data: bytes) -> None:
    """A recording as Parquet, to its last row."""
    with suppress(SojournError):
        _through(ParquetRecording(_file("recording.parquet", data)))


def table(data: bytes) -> None:
    """A CSV of somebody's own, in each unit of time."""
    source = _file("mine.csv", data)
    for unit in ("ns", "s", "iso"):
        with suppress(SojournError):
            convert_table(source, _folder() / "out.csv", {"ts": "when"}, store="s1", unit=unit)


def visits_csv(data: bytes) -> None:
    """Visits or a truth, as CSV."""
    with suppress(SojournError):
        read_visits(_file("visits.csv", data))


def visits_parquet(data: bytes) -> None:
    """Visits or a truth, as Parquet."""
    with suppress(SojournError):
        read_visits(_file("visits.parquet", data))


def survey(data: bytes) -> None:
    """A survey."""
    with suppress(SojournError):
        read_survey(_file("survey.csv", data), PLAN)


def models(data: bytes) -> None:
    """A file of models, and one model alone."""
    with suppress(SojournError):
        read_models(_file("models", data), PLAN)
    with suppress(SojournError):
        model.load(data, STORE)


def salrb(data: bytes) -> None:
    """SALRB's three files, in one input with NUL between them."""
    with suppress(SojournError):
        convert_salrb(_files(data, "salrb_walk_rssi.csv", "salrb_visits_truth.csv", "salrb_receivers.txt"))


def tetam(data: bytes) -> None:
    """TETAM's two files, in one input with NUL between them."""
    folder = _files(data, "tetam_tracks.csv", "tetam_receivers.csv")
    with suppress(SojournError):
        convert_tetam(folder)


def engine_snapshot(data: bytes) -> None:
    """An engine's snapshot: as it is, and behind a checksum that fits, so that the map itself is read too."""
    with suppress(SojournError):
        StoreEngine.restore(data, STORE)
    head = snapshot._MAGIC + bytes([snapshot.VERSION])
    with suppress(SojournError):
        snapshot.unpack(head + snapshot._digest(data) + data)


_SERVICE: Final = "0000{}-0000-1000-8000-00805f9b34fb"
_IDENTITIES: Final = Identities(
    [
        *TILT,
        *(
            Rule(kind=kind, device="instance_and_address" if kind == "ibeacon" else "instance")
            for kind in (
                "ibeacon", "altbeacon", "eddystone_uid", "eddystone_eid", "eddystone_url", "estimote", "minew",
                "address",
            )
        ),
    ]
)  # fmt: skip


def advertisement(data: bytes) -> None:
    """What is in the air: as a payload, as a PDU, and as the parts that BlueZ hands over."""
    heard = []
    with suppress(SojournError):
        heard.append(read_payload(data, data[:6] if len(data) >= 6 else None, random=True))
    with suppress(SojournError):
        pdu = read_pdu(data)
        heard += [] if pdu is None else [pdu]
    heard += [Advertisement(None, False, {company: data}, {}) for company in (0x004C, 0x0118, 0x015D, 0x0639)]
    heard += [Advertisement(None, False, {}, {_SERVICE.format(uuid): data}) for uuid in ("feaa", "fe9a", "fcd2")]
    for one in heard:
        who = _IDENTITIES.of(one)
        assert who is None or (who.isascii() and who.count(b":") >= 1), "a strange identity"
        assert who is None or len(who) <= 7 * len(data) + 64, "an identity without bound"
        read_telemetry(one.service_data)
    said = read_bthome(data)
    assert said is None or len(said.readings) < len(data), "more readings than bytes"


_EDGE: Final = msgspec.convert(
    {
        "store": "s1",
        "edge": "e1",
        "broker": {"url": "mqtt://127.0.0.1"},
        "files": {"keys": "keys", "outbox": "outbox"},
        "adapter": [{"name": "hci0", "anchor": "a0"}],
        "hear": [{"kind": "ibeacon"}],
    },
    EdgeSettings,
    dec_hook=lambda kind, value: kind(value),
)


def edge_config(data: bytes) -> None:
    """What an edge is told from afar: used as a whole or refused as a whole."""
    kept = _folder() / "kept.json"
    kept.unlink(missing_ok=True)
    changes: list[Listening] = []
    control = RemoteControl(_EDGE, kept, changes.append)
    before = control.listening
    control.take(data)
    said = control.status()
    if "refused" in said or not changes:
        assert (said["version"], control.listening, changes) == (0, before, []), "half of it was used"
        return
    Identities(with_known(control.listening.rules))
    assert RemoteControl(_EDGE, kept, changes.append).listening == control.listening, "kept otherwise"


_TOPICS: Final = ("home/omg/BTtoMQTT/C034F2AB0001", "espresense/devices/iBeacon:x-1-2/shoes")


def gateway(data: bytes) -> None:
    """What gateways bought elsewhere publish, read by every format: a translation or an error of ours."""
    for translate in TRANSLATORS.values():
        for topic in _TOPICS:
            with suppress(SojournError):
                said = translate(topic, data)
                assert len(said.heard) <= MOST_HEARD, "readings without bound"
                for one in said.heard:
                    who = _IDENTITIES.of(one.advertisement)
                    assert who is None or who.isascii(), "a strange identity"


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    one.__name__: one
    for one in (
        batch, status, committed, plan, recording_csv, recording_parquet, table, visits_csv, visits_parquet, survey,
        models, salrb, tetam, engine_snapshot, advertisement,
        edge_config, gateway,
    )
}  # fmt: skip


def _through(recording: Recording) -> None:
    """Lead a recording through as a replay does; every row has to be a signal or a reject."""
    lanes: list[_Lane] = []

    def lane(store: floorplan.StorePlan) -> _Lane:
        lanes.append(_Lane(store))
        return lanes[-1]

    with Rejects(_folder() / "rejects.csv") as refused:
        rows = run(recording, PLAN, lane, refused, lambda _: None)
    assert rows == sum(refused.counts.values()) + sum(one.signals for one in lanes), "a row was lost"


def _folder() -> Path:
    return Path(_FOLDER.name)


def _file(name: str, data: bytes) -> Path:
    path = _folder() / name
    path.write_bytes(data)
    return path


def _files(data: bytes, *names: str) -> Path:
    parts = data.split(b"\x00", len(names) - 1)
    for name, part in zip(names, parts + [b""] * len(names), strict=False):
        _file(name, part)
    return _folder()


_MEMORY = Path("/dev/shm")  # where there is one, an input costs no disk
_FOLDER = tempfile.TemporaryDirectory(prefix="sojourn-fuzz-", dir=_MEMORY if _MEMORY.is_dir() else None)
