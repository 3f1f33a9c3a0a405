"""Recordings: what is read, what is refused row by row and with its line, and what cannot be read at all."""

import csv
import io
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.dwell.sample import Sample
from core.errors import RecordingError
from core.floorplan import FloorPlan, load
from core.limits import PAST_BOUND_NS, RSSI_MAX_DBM, RSSI_MIN_DBM
from core.records import SignalArray
from simulators.recordings.csv import CsvRecording, CsvRows
from simulators.recordings.parquet import ParquetRecording
from simulators.recordings.reading import open_recording
from simulators.recordings.rejects import EXPLAINED, REJECTS_SCHEMA, Reason, Rejects
from simulators.recordings.rows import Recording
from simulators.recordings.signals import StoreRows
from simulators.recordings.times import FOLLOWERS
from simulators.replay.lanes import run

BASE = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
HEADER = "ts,store,anchor,device,rssi_dbm\n"
PLAN = load(
    """{"stores": [
    {"id": "s1", "timezone": "Europe/Berlin", "zones": [{"id": "a"}, {"id": "b"}],
     "anchors": [{"id": "g1", "zone": "a"}, {"id": "g2", "zone": "b"}]},
    {"id": "s2", "timezone": "Asia/Tokyo", "zones": [{"id": "a"}], "anchors": [{"id": "g1", "zone": "a"}]}]}"""
)


class Kept:
    """A lane that keeps what it is given."""

    def __init__(self, store: str) -> None:
        self.kept = Sample(10**9)
        self.rows = StoreRows(PLAN.stores[PLAN.store_index[store]], self.kept.number)

    def take(self, signals: SignalArray) -> None:
        self.kept.add(signals)

    def readings(self) -> list[tuple[int, str, int, int]]:
        """Offset from BASE in ns, device, anchor, dBm."""
        signals = self.kept.signals()
        names = self.rows.devices.names(signals["device"])
        return [
            (ts - BASE, name, anchor, rssi)
            for (ts, _, anchor, rssi), name in zip(signals.tolist(), names, strict=True)
        ]


def read(recording: Recording, rejects: Path, plan: FloorPlan = PLAN) -> tuple[dict[str, Kept], Rejects, int]:
    lanes: dict[str, Kept] = {}
    with Rejects(rejects) as refused:
        count = run(
            recording, plan, lambda store: lanes.setdefault(store.id, Kept(store.id)), refused, lambda _: None
        )
    return lanes, refused, count


def read_text(folder: Path, text: str | bytes, **options: int) -> tuple[dict[str, Kept], list[tuple[int, str]]]:
    path = folder / "recording.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    lanes, refused, count = read(CsvRecording(path, **options), folder / "rejects.csv")
    table = pl.read_csv(folder / "rejects.csv", infer_schema=False)
    assert table.columns == REJECTS_SCHEMA.names()
    assert sum(refused.counts.values()) == len(table)
    assert count == len(table) + sum(len(lane.readings()) for lane in lanes.values())
    return lanes, [(int(line), reason) for line, reason in table.select("line", "reason").iter_rows()]


def test_rows_become_signals_of_their_stores_in_order_of_arrival(tmp_path: Path) -> None:
    lanes, rejects = read_text(
        tmp_path,
        HEADER + f"{BASE + 1999},s1,g2,tag 1,-60.4\n{BASE},s2,g1,tag 1,-61\n{BASE - 5000},s1,g1,Ä,-59.6",
    )
    assert rejects == []
    assert lanes["s1"].readings() == [(1000, "tag 1", 1, -60), (-5000, "Ä", 0, -60)]
    assert lanes["s2"].readings() == [(0, "tag 1", 0, -61)]


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    text = f'rssi_dbm,"channel",device, store ,ts,anchor,channel\n-60,37,d,s1,{BASE},g1,1\n'
    lanes, rejects = read_text(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert (lanes["s1"].readings(), rejects) == ([(0, "d", 0, -60)], [])


def test_windows_line_ends_blank_lines_and_quotes_are_read(tmp_path: Path) -> None:
    text = HEADER + f'{BASE},s1,g1,"a, ""b""",-60\n\n{BASE},"s1","g1",c,-60\n\n\n{BASE},s1,g9,"c",-60\n'
    expected = [(0, 'a, "b"', 0, -60), (0, "c", 0, -60)]
    for end in ("\n", "\r\n"):
        lanes, rejects = read_text(tmp_path, text.replace("\n", end))
        assert lanes["s1"].readings() == expected
        assert rejects == [(7, "unknown_anchor")]  # blank lines count as lines, not as rows


BAD_ROWS = [
    (f"{BASE},s1,g1,d,-60,7", Reason.UNREADABLE_ROW),
    ("noon,s1,g1,d,-60", Reason.UNREADABLE_ROW),
    ("1.5,s1,g1,d,-60", Reason.UNREADABLE_ROW),
    (",s1,g1,d,-60", Reason.UNREADABLE_ROW),
    (f"{2**70},s1,g1,d,-60", Reason.UNREADABLE_ROW),
    ("garbage", Reason.UNREADABLE_ROW),
    (f'{BASE},s1,g1,"d,-60', Reason.UNREADABLE_ROW),
    (f'{BASE},s1,g1,"d"x"",-60', Reason.UNREADABLE_ROW),
    (f"{BASE},s9,g1,d,-60", Reason.UNKNOWN_STORE),
    (f"{BASE},,g1,d,-60", Reason.UNKNOWN_STORE),
    (f"{BASE}", Reason.UNKNOWN_STORE),
    (f"{BASE},s1,g9,d,-60", Reason.UNKNOWN_ANCHOR),
    (f"{BASE},s2,g2,d,-60", Reason.UNKNOWN_ANCHOR),
    (f"{BASE},s1,,d,-60", Reason.UNKNOWN_ANCHOR),
    (f"{BASE},s1,g1,,-60", Reason.EMPTY_DEVICE),
    (f"{BASE},s1,g1, ,-60", Reason.EMPTY_DEVICE),
    (f"{BASE},s1,g1,d,", Reason.MISSING_RSSI),
    (f"{BASE},s1,g1,d", Reason.MISSING_RSSI),
    (f"{BASE},s1,g1,d,nan", Reason.MISSING_RSSI),
    (f"{BASE},s1,g1,d,loud", Reason.MISSING_RSSI),
    (f"{BASE},s1,g1,d,{RSSI_MIN_DBM - 0.1}", Reason.IMPOSSIBLE_RSSI),
    (f"{BASE},s1,g1,d,{RSSI_MAX_DBM + 0.1}", Reason.IMPOSSIBLE_RSSI),
    (f"{BASE},s1,g1,d,inf", Reason.IMPOSSIBLE_RSSI),
    ("-1,s1,g1,d,-60", Reason.IMPOSSIBLE_TIME),
    (f"{2**62},s1,g1,d,-60", Reason.IMPOSSIBLE_TIME),
    (f"{BASE - PAST_BOUND_NS - 1},s1,g1,d,-60", Reason.IMPOSSIBLE_TIME),
    (f"{BASE + PAST_BOUND_NS + 2},s1,g1,d,-60", Reason.IMPOSSIBLE_TIME),
]


@pytest.mark.parametrize(("row", "reason"), BAD_ROWS)
def test_a_bad_row_costs_itself_and_nothing_else(tmp_path: Path, row: str, reason: Reason) -> None:
    good = f"{BASE},s1,g1,d,-60\n"
    lanes, rejects = read_text(tmp_path, HEADER + good + row + "\n" + good)
    assert rejects == [(3, reason)]
    assert lanes["s1"].readings() == [(0, "d", 0, -60)] * 2


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r"), min_size=1)


@given(st.lists(NAMES.filter(lambda name: bool(name.strip())), min_size=1, max_size=20), st.booleans())
def test_devices_may_be_called_anything(names: list[str], quote_all: bool) -> None:
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL if quote_all else csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerows((BASE, "s1", "g1", name, -60) for name in names)
    rows = CsvRows(["ts", "store", "anchor", "device", "rssi_dbm"], text.getvalue().encode(), 2, 1.0)
    assert rows.frame["device"].to_list() == names
    assert rows.frame["readable"].all()


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_whatever_stands_there_the_rows_around_it_are_read(one: bytes, other: bytes) -> None:
    good = f"{BASE},s1,g1,d,-60\n".encode()
    block = good + one.replace(b"\n", b"") + b"\n" + good + other
    rows = CsvRows(["ts", "store", "anchor", "device", "rssi_dbm"], block, 2, 1.0)
    sound = rows.frame.filter(pl.col("line").is_in([2, 4]))
    assert sound.select("readable", "ts", "device", "rssi_dbm").rows() == [(True, BASE, "d", -60.0)] * 2
    assert len(rows.written(np.arange(len(rows.frame)))) == len(rows.frame)


def test_bytes_that_are_not_utf_8_cost_their_row(tmp_path: Path) -> None:
    good = f"{BASE},s1,g1,d,-60\n".encode()
    lanes, rejects = read_text(tmp_path, HEADER.encode() + good + good.replace(b"d", b"\xff\xfe") + good)
    assert (len(lanes["s1"].readings()), rejects) == (2, [(3, "unreadable_row")])


@pytest.mark.parametrize(
    "row",
    [f"{BASE},s1,g1,d,{RSSI_MIN_DBM}", f"{BASE},s1,g1,d,{RSSI_MAX_DBM}", f"{BASE - PAST_BOUND_NS},s1,g1,d,-60"],
)
def test_the_bounds_themselves_are_possible(tmp_path: Path, row: str) -> None:
    good = f"{BASE},s1,g1,d,-60\n"
    assert read_text(tmp_path, HEADER + good + row + "\n" + good)[1] == []


def test_rejects_are_written_as_they_stood(tmp_path: Path) -> None:
    read_text(
        tmp_path, HEADER + f'{BASE},s1,g1,d,loud\n{BASE},s1,"g,9",d,-60.50\nnoon,s1,g1,d, -60\n{BASE},s1,g1,,-1\n'
    )
    lines = (tmp_path / "rejects.csv").read_text().splitlines()
    assert lines == [
        "line,reason,ts,store,anchor,device,rssi_dbm",
        f"2,missing_rssi,{BASE},s1,g1,d,loud",
        f'3,unknown_anchor,{BASE},s1,"g,9",d,-60.50',
        "4,unreadable_row,noon,s1,g1,d, -60",
        f"5,empty_device,{BASE},s1,g1,,-1",
    ]


@pytest.mark.parametrize("block_bytes", [120, 200, 1000])
def test_blocks_do_not_matter(tmp_path: Path, block_bytes: int) -> None:
    good = f"{BASE},s1,g1,d,-60\n{BASE},s2,g1,d,-61\n"
    text = HEADER + good.join(f"{row}\n\n" for row, _ in BAD_ROWS) + good
    whole = read_text(tmp_path, text)
    pieces = read_text(tmp_path, text, block_bytes=block_bytes)
    assert {name: lane.readings() for name, lane in pieces[0].items()} == {
        name: lane.readings() for name, lane in whole[0].items()
    }
    assert sorted(pieces[1]) == sorted(whole[1])
    assert Counter(reason for _, reason in whole[1]) == Counter(reason for _, reason in BAD_ROWS)


def test_one_clock_that_runs_ahead_is_refused_and_a_pause_is_not(tmp_path: Path) -> None:
    good = "".join(f"{BASE + second * SECOND},s1,g1,d,-60\n" for second in range(FOLLOWERS))
    year = 365 * 24 * 3600 * SECOND
    later = "".join(f"{BASE + year + second * SECOND},s1,g1,d,-60\n" for second in range(FOLLOWERS))
    lanes, rejects = read_text(tmp_path, HEADER + f"{BASE + year},s1,g1,d,-60\n" * 3 + good)
    assert rejects == [(line, "impossible_time") for line in (2, 3, 4)]
    assert len(lanes["s1"].readings()) == FOLLOWERS
    lanes, rejects = read_text(tmp_path, HEADER + good + later, block_bytes=100)
    assert (rejects, len(lanes["s1"].readings())) == ([], 2 * FOLLOWERS)


def test_a_recording_may_start_at_zero(tmp_path: Path) -> None:
    lanes, rejects = read_text(tmp_path, HEADER + "0,s1,g1,d,-60\n1000,s1,g1,d,-60\n")
    assert (len(lanes["s1"].readings()), rejects) == (2, [])


def test_parquet_gives_what_csv_gives(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "ts": [BASE, BASE + 1999, -1, None, BASE],
            "store": ["s1", "s1", "s1", "s1", "s9"],
            "anchor": ["g1", "g2", "g1", "g1", "g1"],
            "device": ["d", "é", "d", "d", None],
            "rssi_dbm": [-60.5, -61.0, -62.0, -60.0, float("nan")],
            "channel": [37, 38, 39, 37, 38],
        },
        schema_overrides={"ts": pl.Int64},
    )
    frame.write_csv(tmp_path / "recording.csv")
    frame.write_parquet(tmp_path / "recording.parquet")
    results = []
    for ending, first in (("csv", 2), ("parquet", 1)):
        lanes, _, count = read(open_recording(tmp_path / f"recording.{ending}"), tmp_path / "rejects.csv")
        rejects = pl.read_csv(tmp_path / "rejects.csv", infer_schema=False)
        rejects = rejects.with_columns(pl.col("line").cast(pl.Int64) - first)
        results.append((lanes["s1"].readings(), rejects.rows(), count))
    assert results[0] == results[1]
    assert results[0][0] == [(0, "d", 0, -60), (1000, "é", 1, -61)]


@pytest.mark.parametrize("rows_at_a_time", [1, 3, 1000])
def test_parquet_is_read_in_order_whatever_the_batch(tmp_path: Path, rows_at_a_time: int) -> None:
    count = 50
    frame = pl.DataFrame(
        {
            "ts": np.arange(count, dtype=np.uint64) * 1000 + BASE,
            "store": pl.Series(["s1"] * count, dtype=pl.Categorical),
            "anchor": ["g1"] * count,
            "device": [f"d{row}" for row in range(count)],
            "rssi_dbm": np.full(count, -60, np.int8),
        }
    )
    frame.write_parquet(tmp_path / "recording.parquet", row_group_size=7)
    recording = ParquetRecording(tmp_path / "recording.parquet", rows_at_a_time=rows_at_a_time)
    lanes, _, read_rows = read(recording, tmp_path / "rejects.csv")
    assert read_rows == count
    assert [name for _, name, _, _ in lanes["s1"].readings()] == frame["device"].to_list()
    assert [rows.share for rows in recording.rows()][-1] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "The file is empty"),
        (b"ts,store,anchor,device\n", "no column 'rssi_dbm' in the header"),
        (b"ts;store;anchor;device;rssi_dbm\n", "separated by commas"),
        (b"ts,ts,store,anchor,device,rssi_dbm\n", "'ts' stands in the header twice"),
        (b"\xff\xfe\x00binary\n", "neither the header of a CSV nor the beginning of Parquet"),
        (b"PAR1 and then something else", "Parquet file cannot be read"),
        (HEADER.encode() + b"x" * 9 * 2**20, "a line of more than 8388608 bytes"),
    ],
)
def test_what_is_no_recording_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "recording.csv"
    path.write_bytes(content)
    with pytest.raises(RecordingError, match=message):
        read(open_recording(path), tmp_path / "rejects.csv")


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ({"ts": [1.5]}, "'ts' is of type Float64.* has to be int64"),
        ({"device": [5]}, "'device' is of type Int64.* has to be a string"),
        ({"rssi_dbm": ["-60"]}, "'rssi_dbm' is of type String.* has to be a float"),
    ],
)
def test_parquet_of_another_type_is_one_sentence(
    tmp_path: Path, column: dict[str, list[object]], message: str
) -> None:
    right = {"ts": [BASE], "store": ["s1"], "anchor": ["g1"], "device": ["d"], "rssi_dbm": [-60.0]}
    pl.DataFrame(right | column).write_parquet(tmp_path / "recording.parquet")
    with pytest.raises(RecordingError, match=message):
        open_recording(tmp_path / "recording.parquet")


def test_no_file_and_a_folder_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="no such file"):
        open_recording(tmp_path / "recording.csv")
    with pytest.raises(RecordingError, match="not a file"):
        open_recording(tmp_path)
    with pytest.raises(RecordingError, match="rejects cannot be written"):
        Rejects(tmp_path / "nowhere" / "rejects.csv")


def test_every_reason_is_explained() -> None:
    assert set(EXPLAINED) == set(Reason)
