from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from psycopg import sql

from storage import copy
from storage.connect import connect, in_transaction
from storage.copy import Field, copy_columns, pack

FIELDS = {
    "at": Field.TIMESTAMPTZ,
    "id": Field.UUID,
    "small": Field.INT2,
    "middle": Field.INT4,
    "large": Field.INT8,
    "single": Field.FLOAT4,
    "double": Field.FLOAT8,
    "flag": Field.BOOL,
}
US = 1_000


@st.composite
def tables(draw: st.DrawFn) -> dict[str, NDArray[Any]]:
    rows = draw(st.integers(0, 20))

    def array(dtype: Any, elements: st.SearchStrategy[Any] | None = None) -> NDArray[Any]:
        return draw(hnp.arrays(dtype, rows, elements=elements))

    return {
        "at": array(np.int64, st.integers(-(2**62) // US, 2**62 // US)) * US,
        "id": draw(hnp.arrays(np.uint8, (rows, 16))),
        "small": array(np.int16),
        "middle": array(np.int32),
        "large": array(np.int64),
        "single": array(np.float32, st.floats(width=32, allow_nan=False)),
        "double": array(np.float64, st.floats(allow_nan=False)),
        "flag": array(np.bool_),
    }


@pytest.mark.servers
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(columns=tables())
def test_what_is_copied_in_is_read_back(database_url: str, columns: dict[str, NDArray[Any]]) -> None:
    with connect(database_url) as connection:
        made = sql.SQL(", ").join(
            sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(field.type_name)) for name, field in FIELDS.items()
        )
        connection.execute("drop table if exists mirror")
        connection.execute(
            sql.SQL("create table mirror (place bigint generated always as identity, {})").format(made)
        )
        rows = in_transaction(connection, lambda c: copy_columns(c, "mirror", FIELDS, columns))
        assert rows == len(columns["at"])
        found = connection.execute(
            "select (extract(epoch from at) * 1000000)::bigint, id, small, middle, large, single::float8, double,"
            " flag from mirror order by place"
        ).fetchall()
    assert len(found) == rows
    for place, row in enumerate(found):
        expected = (
            int(columns["at"][place]) // US,
            columns["id"][place].tobytes(),
            *(columns[name][place].item() for name in ("small", "middle", "large", "single", "double", "flag")),
        )
        assert (row[0], row[1].bytes, *row[2:]) == expected


@pytest.mark.servers
def test_more_rows_than_a_chunk_arrive_in_order(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy, "_ROWS_A_CHUNK", 100)
    with connect(database_url) as connection:
        connection.execute("create table many (place bigint generated always as identity, value int)")
        values = np.arange(1_001, dtype=np.int32)
        in_transaction(connection, lambda c: copy_columns(c, "many", {"value": Field.INT4}, {"value": values}))
        found = connection.execute("select value from many order by place").fetchall()
    assert [row[0] for row in found] == values.tolist()


@pytest.mark.servers
def test_a_failure_leaves_nothing(database_url: str) -> None:
    twice = {"value": np.array([1, 2, 1], np.int32)}
    with connect(database_url) as connection:
        connection.execute("create table different (value int primary key)")
        with pytest.raises(Exception, match="duplicate key"):
            in_transaction(connection, lambda c: copy_columns(c, "different", {"value": Field.INT4}, twice))
        assert connection.execute("select count(*) from different").fetchone() == (0,)


@pytest.mark.parametrize(
    ("fields", "columns", "said"),
    [
        ({"a": Field.INT4}, {}, "a is missing"),
        ({"a": Field.INT4, "b": Field.INT4}, {"a": np.zeros(1, int), "b": np.zeros(2, int)}, "different lengths"),
        ({"a": Field.INT2}, {"a": np.array([32_768])}, "a holds a value that is not a int2"),
        ({"a": Field.INT4}, {"a": np.array([-(2**31) - 1])}, "a holds a value that is not a int4"),
        ({"a": Field.INT8}, {"a": np.array([2**63], np.uint64)}, "a holds a value that is not a int8"),
        ({"a": Field.INT4}, {"a": np.array([1.5])}, "a holds a value that is not a int4"),
        ({"a": Field.UUID}, {"a": np.zeros((2, 15), np.uint8)}, r"uint8 of shape \(rows, 16\)"),
        ({"a": Field.TIMESTAMPTZ}, {"a": np.zeros(2, np.int32)}, "int64 nanoseconds"),
        ({"a": Field.INT4}, {"a": np.zeros((2, 2), np.int32)}, "one dimension"),
    ],
)
def test_what_does_not_fit_is_refused_and_never_wrapped(
    fields: dict[str, Field], columns: dict[str, NDArray[Any]], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        list(pack(fields, columns))
