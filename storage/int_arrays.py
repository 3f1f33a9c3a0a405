"""Arrays of integers as numpy reads them: a list of numbers for each cell would take longer than to add them up.

In PostgreSQL's binary form an array has a header of five words, then each element as its length and its value.
"""

from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from psycopg import Cursor
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.pq import Format

from storage.connect import Connection

_HEADER_BYTES: Final = 20
_INT2: Final = np.dtype([("bytes", ">i4"), ("value", ">i2")])
_INT4: Final = np.dtype([("bytes", ">i4"), ("value", ">i4")])
_INT8: Final = np.dtype([("bytes", ">i4"), ("value", ">i8")])
_NONE: Final[NDArray[np.int64]] = np.zeros(0, np.int64)


class _IntArray(Loader):
    """Of one dimension and without null, as our tables have them."""

    format = Format.BINARY
    element: ClassVar[np.dtype[Any]]

    def load(self, data: Buffer) -> NDArray[Any]:
        """Return a read-only view of what was received."""
        if len(data) <= _HEADER_BYTES:  # an empty array has no dimension
            return _NONE
        found: NDArray[Any] = np.frombuffer(data, self.element, offset=_HEADER_BYTES)["value"]
        return found


class _Int2Array(_IntArray):
    element = _INT2


class _Int4Array(_IntArray):
    element = _INT4


class _Int8Array(_IntArray):
    element = _INT8


def numpy_cursor(connection: Connection) -> Cursor[Any]:
    """Return a cursor whose smallint[], integer[] and bigint[] come as arrays of big-endian integers, shape (n,)."""
    cursor = connection.cursor(binary=True)
    for name, loader in (("int2", _Int2Array), ("int4", _Int4Array), ("int8", _Int8Array)):
        cursor.adapters.register_loader(cursor.adapters.types[name].array_oid, loader)
    return cursor


def unpacked(spread: bytes) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a smallint[] and an integer[] of one length, shape (n,), which `array_send` put into one piece."""
    length = (len(spread) - 2 * _HEADER_BYTES) // (_INT2.itemsize + _INT4.itemsize)
    if length <= 0:
        return _NONE, _NONE
    first = np.frombuffer(spread, _INT2, length, _HEADER_BYTES)["value"]
    second = np.frombuffer(spread, _INT4, length, 2 * _HEADER_BYTES + length * _INT2.itemsize)["value"]
    return first, second
