"""The same machines in C, compiled when gcc is there; `reference.c` tells what they leave out."""

import ctypes
import hashlib
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from core.dwell.model import Model

_SOURCE: Final = Path(__file__).with_name("reference.c")
_FLAGS: Final = ("-O3", "-march=native", "-shared", "-fPIC")
_LINE: Final = 64
_RECORDING_US: Final = 1 << 32

LANES: Final = 16
_QUANTA: Final = 64
_ROWS: Final = 100
_FLOOR_DBM: Final = -115
_GAP_BINS: Final = 8192
_GAP_SHIFT: Final = 17
_NODES_A_DEVICE: Final = 96

STAY: Final = np.dtype([("entered_at", "<i8"), ("left_at", "<i8"), ("device", "<i4"), ("zone", "<i4")])
"""A stay as the C machine decides it, µs; zone -1 is a store visit."""


class NoCompilerError(Exception):
    """There is no gcc, or it does not compile here; the text says which."""


class _World(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_int64),
        ("devices", ctypes.c_void_p),
        ("nodes", ctypes.c_void_p),
        ("free", ctypes.c_void_p),
        ("free_count", ctypes.c_int64),
        ("level", ctypes.c_void_p),
        ("silence", ctypes.c_void_p),
        ("penalty", ctypes.c_void_p),
        ("penalties", ctypes.c_int64),
        ("out", ctypes.c_void_p),
        ("out_count", ctypes.c_int64),
        ("out_room", ctypes.c_int64),
    )


@cache
def library() -> ctypes.CDLL:
    """Compile once per source and machine, beside Python's own compiled files.

    Raises
    ------
    NoCompilerError
    """
    gcc = shutil.which("gcc")
    if gcc is None:
        raise NoCompilerError("gcc is not installed")
    version = subprocess.run(
        [gcc, "-v", "-E", "-march=native", "-x", "c", "/dev/null"], capture_output=True, check=False
    )
    told = _SOURCE.read_bytes() + version.stderr + " ".join(_FLAGS).encode()
    built = _SOURCE.parent / "__pycache__" / f"reference-{hashlib.sha256(told).hexdigest()[:16]}.so"
    if not built.exists():
        built.parent.mkdir(exist_ok=True)
        fresh = built.with_suffix(f".{id(told)}.partial")
        run = subprocess.run(
            [gcc, *_FLAGS, f"-DLANES={LANES}", "-o", str(fresh), str(_SOURCE)],
            capture_output=True,
            text=True,
            check=False,
        )
        if run.returncode != 0:
            raise NoCompilerError(f"gcc cannot compile {_SOURCE.name}: {run.stderr.strip().splitlines()[-1]}")
        fresh.replace(built)
    loaded = ctypes.CDLL(str(built))
    for name in ("device_bytes", "node_bytes", "averaged_bytes", "ema"):
        getattr(loaded, name).restype = ctypes.c_int64
    return loaded


class Viterbi:
    """The C machine over one store's signals.

    Parameters
    ----------
    model : Model
        What readings say; tabled here anew in quanta of 1/64 nat, not taken from the product's tables.
    devices : int
    signals : int
        How many will come, at most: room for stays.
    """

    def __init__(self, model: Model, devices: int, signals: int) -> None:
        self._library = library()
        self._devices = devices
        self.state = _aligned(devices * int(self._library.device_bytes()))
        nodes = devices * _NODES_A_DEVICE
        self._nodes = _aligned(nodes * int(self._library.node_bytes()))
        self._free = np.arange(nodes - 1, -1, -1, dtype=np.int32)
        self._tables = _tables(model)
        self._out = np.zeros(max(4 * devices, signals // 4), STAY)
        level, silence, penalty = self._tables
        self._world = _World(
            devices=self.state.ctypes.data,
            nodes=self._nodes.ctypes.data,
            free=self._free.ctypes.data,
            free_count=nodes,
            level=level.ctypes.data,
            silence=silence.ctypes.data,
            penalty=penalty.ctypes.data,
            penalties=len(penalty),
            out=self._out.ctypes.data,
            out_room=len(self._out),
        )

    @property
    def device_bytes(self) -> int:
        """State per device."""
        return int(self._library.device_bytes())

    def decode(self, signals: NDArray[Any]) -> None:
        """Take signals (SIGNAL, `ts` in µs, in order of time)."""
        if not len(signals):
            return
        if not self._world.base:
            self._world.base = int(signals["ts"][0])
        if int(signals["ts"][-1]) - self._world.base >= _RECORDING_US:
            raise ValueError("The C machine keeps times in 32 bits: a recording lasts at most 71 minutes.")
        self._library.viterbi(
            ctypes.byref(self._world), ctypes.c_void_p(signals.ctypes.data), ctypes.c_int64(len(signals))
        )

    def finish(self) -> NDArray[Any]:
        """Close all visits; return all stays (STAY)."""
        self._library.viterbi_finish(ctypes.byref(self._world), ctypes.c_int64(self._devices))
        count = int(self._world.out_count)
        if count > len(self._out):
            raise ValueError("The C machine had no room for its stays.")
        return self._out[:count]


def ema(signals: NDArray[Any], devices: int) -> int:
    """Run the moving average with hysteresis over one store's signals (as `Viterbi.decode`); return its stays."""
    loaded = library()
    state = _aligned(devices * int(loaded.averaged_bytes()))
    return int(
        loaded.ema(
            ctypes.c_void_p(state.ctypes.data),
            ctypes.c_void_p(signals.ctypes.data),
            ctypes.c_int64(len(signals)),
            ctypes.c_int64(int(signals["ts"][0])),
        )
    )


def _aligned(size: int) -> NDArray[np.uint8]:
    """Return zeroed bytes that begin at a cache line."""
    room = np.zeros(size + _LINE, np.uint8)
    begin = -room.ctypes.data % _LINE
    return room[begin : begin + size]


def _tables(model: Model) -> tuple[NDArray[np.int16], NDArray[np.int32], NDArray[np.int32]]:
    """Level, silence and penalty as docs/dwell-engine.md has them, for stores of up to LANES spots, one a zone."""
    spots, anchors = model.level_dbm.shape
    weight, misfit_nats, stay_mean_s = 0.6, 8.0, 3_000.0
    dbm = _FLOOR_DBM + np.arange(_ROWS, dtype=np.float64)
    detection = model.detection.astype(np.float64)
    away = (dbm[:, None, None] - model.level_dbm.astype(np.float64)) / model.spread_db
    nats = -np.minimum(away**2 / 2, misfit_nats) + weight * (np.log(detection) - np.log1p(-detection))
    level = np.zeros((anchors, _ROWS, LANES), np.int16)
    level[:, :, :spots] = np.rint(_QUANTA * nats).transpose(2, 0, 1)
    silence = np.full(LANES, -(1 << 20), np.int32)
    silence[:spots] = np.rint(_QUANTA * weight * np.log1p(-detection)).sum(axis=1)
    gap_s = (np.arange(_GAP_BINS) + 0.5) * (1 << _GAP_SHIFT) / 1e6
    penalty = np.rint(_QUANTA * np.log(spots / np.minimum(gap_s / stay_mean_s, 0.9))).astype(np.int32)
    return level, silence, penalty
