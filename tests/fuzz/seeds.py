"""Sound input for every target, from which the damaged is made; all of it is written here, none is a recording."""

import io
import json
from typing import Final

import msgspec
import numpy as np
import polars as pl

from core import floorplan, wire
from core.dwell.engine import StoreEngine
from core.dwell.model import dump, prior_model
from core.records import SIGNAL
from tests.edge.gateway_messages import KONTAKT, MESSAGES

START_NS: Final = 1_760_000_000 * 10**9
PLAN: Final = json.dumps(
    {
        "stores": [
            {
                "id": "s1",
                "timezone": "Europe/Berlin",
                "zones": [{"id": "z0", "name": "Tür", "kind": "entrance"}, {"id": "z1", "kind": "department"}],
                "anchors": [{"id": "a0", "zone": "z0", "x": 1.5, "y": 2}, {"id": "a1", "zone": "z1", "x": 9, "y": 2}],
                "adjacent": [["z0", "z1"]],
            }
        ]
    }
).encode()

_HEADER = "ts,store,anchor,device,rssi_dbm\n"
_RECORDING = (
    _HEADER
    + "".join(f"{START_NS + n * 10**9},s1,a{n % 2},tag {n % 3},-{60 + n}\n" for n in range(8))
    + f'{START_NS},s1,a9,"a, ""b""",-60.5\n\n{START_NS},s2,a0,x,nan\n'
)
_VISITS = (
    "kind,store,device,zone,entered_at,left_at,dwell_s,signals\n"
    f"zone,s1,d1,z0,{START_NS},{START_NS + 10**9},1.0,3\nstore,s1,d1,,{START_NS},{START_NS + 10**9},1.0,3\n"
)
_SURVEY = (
    "store,device,zone,from,to\n"
    f"s1,d1,z0,{START_NS},{START_NS + 10**10}\ns1,d1,z1,2026-01-05T09:30:00Z,2026-01-05T09:31:00+01:00\n"
)
_SALRB = (
    "run,t,label,receiver,rssi\nwalk_2,0.0,1,I-A,-60\nwalk_1,0.0,1,I-A,-61\nwalk_1,0.3,0,O-A,1\n",
    "run,zone,start,end\nwalk_1,inside,0.0,0.3\nwalk_1,outside,0.3,9.5\nwalk_2,inside,0.0,2.0\n",
    "Label,Description,X,Y,Z\n\nO-A,outside door,2.21,3.1,0.99\n\nI-A,inside door,-1.5,-0.1,1.0\n",
)
_TETAM = (
    "track,t,rx,tag,rssi,x,y,z\nlate,200.0,aa,t,-60,9,0,1\nearly,100.0,bb,t,42,0,0,1\nearly,101.5,aa,t,-6,1,0,1\n",
    "rx,alias,x,y,z\naa,sensor10,0.0,0.0,1.0\nbb,sensor21,10.0,0.0,1.0\n",
)
_HEARD = [
    {"kind": "ibeacon", "namespace": "426c7565-4368-6172-6d42-6561636f6e73", "device": "address"},
    {"kind": "eddystone_url", "namespace": "https://example.org"},
]
_ADVERTISEMENTS = (
    "0201061aff4c000215" + "11" * 16 + "00010002c5",  # iBeacon
    "4220aabbccddeec01aff4c000215" + "11" * 16 + "00010002c5",  # the same as a PDU
    "0215" + "11" * 16 + "00010002c5",
    "beac" + "22" * 16 + "00010002c500",
    "00fc" + "33" * 10 + "44" * 6 + "0000",
    "10f80367697468756200636974",
    "20000b1813000000146700002ac4",
    "30fc0011223344556677",
    "22" + "55" * 19,
    "01" + "66" * 19,
    "ca00112233445566640000",
    "40000901610200015305616263643ae8",
)


def seeds() -> dict[str, list[bytes]]:
    """Return sound inputs by target; a recording from elsewhere has its files in one, with NUL between them."""
    plan = floorplan.load(PLAN).stores[0]
    model = dump(prior_model(plan))
    return {
        "advertisement": [bytes.fromhex(one) for one in _ADVERTISEMENTS],
        "edge_config": [
            json.dumps({"version": 3, "scanning": "passive", "silence_s": 20.5, "hear": _HEARD}).encode(),
            b'{"version": 1}',
        ],
        "gateway": [message.payload for message in (*MESSAGES, KONTAKT)],
        "batch": _batches(),
        "status": [
            json.dumps({"state": "online", "boot": "00" * 16, "at_us": 1, "anchors": ["a0"], "backlog": 2}).encode(),
            b'{"state":"offline","alive":{"v":1,"every_s":5.0,"at_us":{"a0":1760000000000000}}}',
        ],
        "committed": [json.dumps({"boots": {"00" * 16: 7, "ff" * 16: 0}}).encode()],
        "plan": [PLAN],
        "recording_csv": [_RECORDING.encode(), b"\xef\xbb\xbf" + _RECORDING.replace("\n", "\r\n").encode()],
        "recording_parquet": [_parquet(_RECORDING.replace("nan", "-60"), {"ts": pl.Int64})],
        "table": [_RECORDING.replace("ts", "when", 1).encode(), b"when,anchor,device,rssi_dbm\n2023-11-14,a,d,-6\n"],
        "visits_csv": [_VISITS.encode()],
        "visits_parquet": [_parquet(_VISITS, {"entered_at": pl.Int64})],
        "survey": [_SURVEY.encode()],
        "models": [msgspec.msgpack.encode({"sojourn_models": 1, "stores": {"s1": model}}), model],
        "salrb": ["\x00".join(_SALRB).encode()],
        "tetam": ["\x00".join(_TETAM).encode()],
        "engine_snapshot": [*(state for whole in [_snapshot(plan)] for state in (whole, whole[40:]))],
    }


def _batches() -> list[bytes]:
    rows = 40
    batch = wire.Batch(
        boot=bytes(range(16)),
        sequence=3,
        anchors=("a0", "a1", "nobody's"),
        devices=np.arange(64, dtype=np.uint8).reshape(4, 16),
        ts=START_NS + np.arange(rows, dtype=np.int64) * 10**8,
        anchor=np.arange(rows, dtype=np.uint16) % 3,
        device=np.arange(rows, dtype=np.uint16) % 4,
        rssi_dbm=-60 - np.arange(rows, dtype=np.int16),
    )
    empty = msgspec.structs.replace(
        batch,
        anchors=(),
        devices=batch.devices[:0],
        ts=batch.ts[:0],
        anchor=batch.anchor[:0],
        device=batch.device[:0],
        rssi_dbm=batch.rssi_dbm[:0],
        gap=wire.Gap(first=1, signals=9, from_ns=START_NS, until_ns=START_NS + 10**9),
    )
    spelled = {
        "v": 1,
        "boot": "00" * 16,
        "seq": 1,
        "base": START_NS // 1000,
        "anchors": ["a0"],
        "devices": ["11" * 16],
        "t": [0, 5],
        "a": [0, 0],
        "d": [0, 0],
        "r": [-60, -61],
    }
    return [
        wire.encode(batch),
        wire.encode(batch, compress=False),
        wire.encode(empty),
        json.dumps(spelled).encode(),
    ]


def _parquet(text: str, kinds: dict[str, type[pl.DataType]]) -> bytes:
    written = io.BytesIO()
    frame = pl.read_csv(io.StringIO(text), schema_overrides=kinds)
    frame.write_parquet(written, compression="uncompressed")
    return written.getvalue()


def _snapshot(plan: floorplan.StorePlan) -> bytes:
    engine = StoreEngine(plan)
    signals = np.zeros(30, SIGNAL)
    signals["ts"] = START_NS + np.arange(30) * 10**9
    signals["device"] = engine.device_index(np.arange(32, dtype=np.uint8).reshape(2, 16))[np.arange(30) % 2]
    signals["anchor"] = np.arange(30) // 15
    signals["rssi_dbm"] = -60
    engine.push(signals)
    return engine.snapshot()
