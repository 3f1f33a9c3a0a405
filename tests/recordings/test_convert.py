"""Converters: what they make of small tables of the same form; the real ones are in test_real.py."""

from pathlib import Path

import polars as pl
import pytest

from core.errors import ConfigurationError, RecordingError
from core.floorplan import load
from simulators.recordings.converted import write_converted
from simulators.recordings.reading import open_recording
from simulators.recordings.salrb import convert_salrb
from simulators.recordings.table import TimeUnit, columns_from, convert_table
from simulators.recordings.tetam import convert_tetam
from simulators.recordings.visits import VISITS_SCHEMA, read_visits

NEW_YEAR = 1_609_459_200_000_000_000
HOUR = 3_600_000_000_000


@pytest.fixture
def salrb(tmp_path: Path) -> Path:
    (tmp_path / "salrb_walk_rssi.csv").write_text(
        "run,t,label,receiver,rssi\nwalk_2,0.0,1,I-A,-60\nwalk_1,0.0,1,I-A,-61\nwalk_1,0.3,0,O-A,1\ncar_1,0.0,2,I-A,-50\n"
    )
    (tmp_path / "salrb_visits_truth.csv").write_text(
        "run,zone,start,end\nwalk_1,inside,0.0,0.3\nwalk_1,outside,0.3,9.5\nwalk_2,inside,0.0,2.0\ncar_1,inside,0.0,1.0\n"
    )
    (tmp_path / "salrb_receivers.txt").write_text(
        "Label,Description,X,Y,Z\n\nO-A,outside door,2.21,3.1,0.99\n\nI-A,inside door,-1.5,-0.1,1.0\n\n"
    )
    return tmp_path


@pytest.fixture
def tetam(tmp_path: Path) -> Path:
    (tmp_path / "tetam_receivers.csv").write_text(
        "rx,alias,x,y,z\naa,sensor10,0.0,0.0,1.0\nbb,sensor11,1.0,0.0,1.0\ncc,sensor20,10.0,0.0,1.0\n"
    )
    (tmp_path / "tetam_tracks.csv").write_text(
        "track,t,rx,tag,rssi,x,y,z\n"
        "late,200.0,aa,t,-60,9,0,1\n"
        "early,100.0,aa,t,-60,0,0,1\n"
        "early,101.5,cc,t,42,1,0,1\n"
        "early,101.4999995,bb,t,-61,9,0,1\n"
        "early,103.0,cc,t,-61,9,0,1\n"
    )
    return tmp_path


def test_salrb_runs_become_devices_hours_apart(salrb: Path) -> None:
    signals, plan, truth = convert_salrb(salrb)
    assert signals.rows() == [
        (NEW_YEAR, "salrb", "I-A", "walk_1", -61.0),
        (NEW_YEAR + 300_000_000, "salrb", "O-A", "walk_1", 1.0),
        (NEW_YEAR + HOUR, "salrb", "I-A", "walk_2", -60.0),
    ]
    assert [(anchor.id, anchor.zone, anchor.x) for anchor in plan.stores[0].anchors] == [
        ("O-A", "outside", 2.21),
        ("I-A", "inside", -1.5),
    ]
    walk = truth.filter(pl.col("device") == "walk_1").sort("kind", "entered_at")
    assert walk.select("kind", "zone", "entered_at", "left_at", "dwell_s").rows() == [
        ("store", "", NEW_YEAR, NEW_YEAR + 9_500_000_000, 9.5),
        ("zone", "inside", NEW_YEAR, NEW_YEAR + 300_000_000, 0.3),
        ("zone", "outside", NEW_YEAR + 300_000_000, NEW_YEAR + 9_500_000_000, 9.2),
    ]
    assert convert_salrb(salrb, "car").signals["device"].to_list() == ["car_1"]


def test_tetam_tracks_keep_their_order_and_their_odd_values(tetam: Path) -> None:
    signals, plan, truth = convert_tetam(tetam)
    assert signals["device"].to_list() == ["early"] * 4 + ["late"]
    assert signals["ts"].to_list()[:3] == [100_000_000_000, 101_500_000_000, 101_500_000_000]
    assert signals["rssi_dbm"].to_list()[1] == 42
    assert signals["anchor"].to_list() == ["sensor10", "sensor20", "sensor11", "sensor20", "sensor10"]
    assert [zone.id for zone in plan.stores[0].zones] == ["zone1", "zone2"]
    stays = truth.filter(pl.col("kind") == "zone").sort("device", "entered_at")
    assert stays.select("device", "zone", "dwell_s").rows() == [
        ("early", "zone1", 1.5),
        ("early", "zone2", 1.5),
        ("late", "zone2", 0.0),
    ]
    assert [zone.id for zone in convert_tetam(tetam, "receivers").plan.stores[0].zones] == [
        "sensor10",
        "sensor11",
        "sensor20",
    ]


def test_what_is_written_is_read_back(salrb: Path) -> None:
    converted = convert_salrb(salrb)
    files = write_converted(converted, salrb / "new" / "folder")
    assert load(files.plan.read_bytes()) == converted.plan
    assert sum(len(rows.frame) for rows in open_recording(files.recording).rows()) == 3
    order = ["kind", "device", "entered_at"]
    assert read_visits(files.truth).sort(order).equals(converted.truth.sort(order))
    assert converted.truth.schema == VISITS_SCHEMA


def test_a_missing_or_strange_file_is_one_sentence(salrb: Path, tetam: Path) -> None:
    with pytest.raises(RecordingError, match=r"neither salrb_rssi\.parquet nor"):
        convert_salrb(salrb / "nowhere")
    (salrb / "salrb_receivers.txt").write_text("Label,X\nO-A,east\n")
    with pytest.raises(RecordingError, match="receivers cannot be read"):
        convert_salrb(salrb)
    (tetam / "tetam_receivers.csv").write_text("rx,alias\n")
    with pytest.raises(RecordingError, match="no column 'x'"):
        convert_tetam(tetam)
    (tetam / "tetam_tracks.csv").unlink()
    with pytest.raises(RecordingError, match=r"no such file.*folder into which the data set was unpacked"):
        convert_tetam(tetam)


TIMES: list[tuple[TimeUnit, str]] = [
    ("ns", "1700000000123456000"),
    ("us", "1700000000123456"),
    ("ms", "1700000000123.456"),
    ("s", "1700000000.123456"),
    ("iso", "2023-11-14T22:13:20.123456Z"),
    ("iso", "2023-11-14T23:13:20.123456+01:00"),
    ("iso", "2023-11-14 22:13:20.123456"),
]


@pytest.mark.parametrize(("unit", "text"), TIMES)
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_of_ones_own_becomes_a_recording(tmp_path: Path, unit: TimeUnit, text: str, ending: str) -> None:
    source, out = tmp_path / "mine.csv", tmp_path / f"recording.{ending}"
    source.write_text(
        f'when;gateway;tag;level\n{text};g1;"d\n1"; -60.5\nnever;g1;d1;loud\n{text};g2;d2;-61;too much\n'
    )
    columns = {"ts": "when", "anchor": "gateway", "device": "tag", "rssi_dbm": "level"}
    assert convert_table(source, out, columns, store="s1", unit=unit, separator=";") == (3, 1, 1, 0)
    (rows,) = open_recording(out).rows()
    assert rows.frame.select("ts", "store", "anchor", "device", "rssi_dbm").rows() == [
        (1_700_000_000_123_456_000, "s1", "g1", "d 1", -60.5),  # one row a line
        (None, "s1", "g1", "d1", None),  # two rejects to be
        (1_700_000_000_123_456_000, "s1", "g2", "d2", -61.0),
    ]


def test_rows_in_another_order_are_sorted_by_time(tmp_path: Path) -> None:
    source, out = tmp_path / "mine.csv", tmp_path / "recording.csv"
    source.write_text("ts,store,anchor,device,rssi_dbm\n3,s,g,c,-60\nx,s,g,d,-60\n1,s,g,a,-60\n3,s,g,b,-60\n")
    convert_table(source, out, {}, ordered=False)
    (rows,) = open_recording(out).rows()
    assert rows.frame["device"].to_list() == ["a", "c", "b", "d"]


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_table_in_another_order_is_told_of(tmp_path: Path, ending: str) -> None:
    source, out, s = tmp_path / "mine.csv", tmp_path / f"out.{ending}", 10**9
    times = [("a", 100), ("b", 9), ("a", 70), ("a", 69), ("b", 10), ("a", 200), ("a", 169), ("c", 0)]
    source.write_text("ts,store,anchor,device,rssi_dbm\n" + "".join(f"{at * s},{of},g,d,-60\n" for of, at in times))
    assert convert_table(source, out, {}).late == 2, "beyond 30 s, each store by itself"
    assert convert_table(source, out, {}, ordered=False).late == 0


def test_a_unit_that_fits_no_row_is_refused(tmp_path: Path) -> None:
    source, out = tmp_path / "mine.csv", tmp_path / "out.csv"
    source.write_text("ts,anchor,device,rssi_dbm\n2026-01-01T09:00:00Z,g,d,-60\n")
    with pytest.raises(RecordingError, match=r"not one time can be read as s\. --unit says"):
        convert_table(source, out, {}, store="s", unit="s")
    source.write_text("ts,anchor,device,rssi_dbm\n1767603600117,g,d,-60\n")  # ms: in ns they pass 64 bits
    with pytest.raises(RecordingError, match=r"not one time can be read as s\. --unit says"):
        convert_table(source, out, {}, store="s", unit="s")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.csv"]


def test_every_row_has_an_offset_of_its_own_or_none(tmp_path: Path) -> None:
    source, out = tmp_path / "mine.csv", tmp_path / "out.csv"
    times = ("02:30:00", "02:30:00Z", "03:30:00.25+01:00", "01:30:00-0100", "soon")
    rows = "".join(f"2026-03-29{sign}{time},g,d,-60\n" for time, sign in zip(times, "T TTT", strict=True))
    source.write_text("ts,anchor,device,rssi_dbm\n" + rows)
    assert convert_table(source, out, {}, store="s", unit="iso").timeless == 1
    (read,) = open_recording(out).rows()
    begin = 1_774_751_400 * 10**9
    assert read.frame["ts"].to_list() == [begin, begin, begin + 250_000_000, begin, None]


def test_a_mapping_is_read_from_words() -> None:
    assert columns_from(["ts=when=then", "anchor=g"]) == {"ts": "when=then", "anchor": "g"}
    for word in ("ts", "ts="):
        with pytest.raises(ConfigurationError, match="Write the recording's name first"):
            columns_from([word])


def test_a_wrong_mapping_is_one_sentence(tmp_path: Path) -> None:
    source = tmp_path / "mine.csv"
    source.write_text("ts,anchor,device,rssi_dbm\n")
    with pytest.raises(ConfigurationError, match="no column 'time'"):
        convert_table(source, tmp_path / "out.csv", {"time": "ts"})
    with pytest.raises(RecordingError, match=r"no column 'store' for 'store'.*ts, anchor, device, rssi_dbm"):
        convert_table(source, tmp_path / "out.csv", {})
    with pytest.raises(RecordingError, match="would be overwritten"):
        convert_table(source, source, {}, store="s")
    with pytest.raises(RecordingError, match=r"no such file.*path of a CSV"):
        convert_table(tmp_path / "nowhere.csv", tmp_path / "out.csv", {}, store="s")
    assert not (tmp_path / "out.csv").exists()
