"""Sixteen lanes at once: what a decoder step does to every score, as instructions of the processor.

Compilers give up on such loops (a record of scores could overlap the tables), so the operations are written as
vectors of 16 numbers of 16 bits, one register of a recent x86-64, two of arm64. Each has a plain twin, which runs
when numba is switched off and says what it does. `at` is the first of the sixteen lanes, a multiple of WIDTH.
"""

from typing import Any, Final

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite ships no types
from numba import config
from numba.core import types
from numba.extending import intrinsic

WIDTH: Final = 16
_LOWEST: Final = -(1 << 15)

if config.DISABLE_JIT:  # type: ignore[attr-defined]  # made from the environment

    def hear(score: Any, at: Any, level: Any, anchor: Any, row: Any) -> None:
        """Add `level[anchor, row]` (int16) to the scores."""
        score[at : at + WIDTH] += level[anchor, row, at : at + WIDTH]

    def highest(score: Any, at: Any) -> Any:
        """Return the highest score as int64."""
        return np.int64(score[at : at + WIDTH].max())

    def highest_elsewhere(score: Any, at: Any, zone_of: Any, zone: Any) -> Any:
        """Return the highest score of the lanes of other zones as int64, the lowest of 16 bits if there are none."""
        return np.int64(np.where(zone_of[at : at + WIDTH] != zone, score[at : at + WIDTH], _LOWEST).max())

    def below(score: Any, at: Any, bar: Any) -> Any:
        """Return the lanes below the bar as bits of an int64, the first lane the lowest bit."""
        return np.int64(((score[at : at + WIDTH] < bar).astype(np.int64) << np.arange(WIDTH)).sum())

    def lowest(bits: Any) -> Any:
        """Return the place of the lowest bit that is set; there is one."""
        return np.int64(int(bits & -bits).bit_length() - 1)

    def move(score: Any, near: Any, silence: Any, at: Any, bar: Any, doubt: Any, cost: Any, heard_ms: Any) -> None:
        """Raise scores to the bar, take bar and cost off, add silence; where below bar - doubt set `near` (int32)."""
        part = slice(at, at + WIDTH)
        near[part] = np.where(score[part] < bar - doubt, heard_ms, near[part])
        score[part] = np.maximum(score[part] - np.int16(bar), 0) - np.int16(cost) + silence[part]

else:
    _LANES: Final = ir.VectorType(ir.IntType(16), WIDTH)
    _SHORT: Final = ir.IntType(16)
    _LONG: Final = ir.IntType(64)

    def _part(context: Any, builder: Any, kind: Any, array: Any, at: Any, bits: int = 16) -> Any:
        """Return a pointer to the sixteen numbers of an array from `at` on."""
        data = context.make_array(kind)(context, builder, array).data
        return _cast(builder, builder.gep(data, [at]), bits)

    def _cast(builder: Any, place: Any, bits: int) -> Any:
        return builder.bitcast(place, ir.VectorType(ir.IntType(bits), WIDTH).as_pointer())

    def _load(builder: Any, place: Any, bytes_each: int = 2) -> Any:
        """Load sixteen numbers; records promise no more than the alignment of one."""
        return builder.load(place, align=bytes_each)

    def _all(builder: Any, value: Any, of: Any) -> Any:
        """Return a vector that holds a number sixteen times."""
        empty = ir.Constant(ir.VectorType(of, WIDTH), ir.Undefined)
        one = builder.insert_element(empty, value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), WIDTH), [0] * WIDTH)
        return builder.shuffle_vector(one, empty, zeros)

    def _number(context: Any, builder: Any, value: Any, kind: Any, wanted: Any) -> Any:
        return context.cast(builder, value, kind, wanted)

    def _highest(builder: Any, lanes: Any) -> Any:
        """Let the compiler fold the vector: x86-64 has an instruction for that."""
        kind = ir.FunctionType(_SHORT, [_LANES])
        name = f"llvm.vector.reduce.smax.v{WIDTH}i16"
        fold = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
        return builder.sext(builder.call(fold, [lanes]), _LONG)

    @intrinsic
    def hear(_context: Any, score: Any, at: Any, level: Any, anchor: Any, row: Any) -> Any:
        """See the twin."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            place, number, line = (_number(context, builder, arguments[i], kinds[i], types.intp) for i in (1, 3, 4))
            scores = _part(context, builder, kinds[0], arguments[0], place)
            table = context.make_array(kinds[2])(context, builder, arguments[2])
            strides = [builder.extract_value(table.strides, i) for i in (0, 1)]
            offset = builder.add(builder.mul(number, strides[0]), builder.mul(line, strides[1]))
            begin = builder.gep(builder.bitcast(table.data, ir.IntType(8).as_pointer()), [offset])
            says = builder.gep(builder.bitcast(begin, _SHORT.as_pointer()), [place])
            total = builder.add(_load(builder, scores), _load(builder, _cast(builder, says, 16)))
            builder.store(total, scores, align=2)
            return context.get_dummy_value()

        return types.none(score, at, level, anchor, row), emit

    @intrinsic
    def highest(_context: Any, score: Any, at: Any) -> Any:
        """See the twin."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = _number(context, builder, arguments[1], signature.args[1], types.intp)
            return _highest(builder, _load(builder, _part(context, builder, signature.args[0], arguments[0], place)))

        return types.int64(score, at), emit

    @intrinsic
    def highest_elsewhere(_context: Any, score: Any, at: Any, zone_of: Any, zone: Any) -> Any:
        """See the twin."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            place = _number(context, builder, arguments[1], kinds[1], types.intp)
            here = _number(context, builder, arguments[3], kinds[3], types.int16)
            scores = _load(builder, _part(context, builder, kinds[0], arguments[0], place))
            zones = _load(builder, _part(context, builder, kinds[2], arguments[2], place))
            other = builder.icmp_signed("!=", zones, _all(builder, here, _SHORT))
            lowest = ir.Constant(_LANES, [_LOWEST] * WIDTH)
            return _highest(builder, builder.select(other, scores, lowest))

        return types.int64(score, at, zone_of, zone), emit

    @intrinsic
    def below(_context: Any, score: Any, at: Any, bar: Any) -> Any:
        """See the twin."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            place = _number(context, builder, arguments[1], kinds[1], types.intp)
            limit = _number(context, builder, arguments[2], kinds[2], types.int16)
            scores = _load(builder, _part(context, builder, kinds[0], arguments[0], place))
            low = builder.icmp_signed("<", scores, _all(builder, limit, _SHORT))
            return builder.zext(builder.bitcast(low, ir.IntType(WIDTH)), _LONG)

        return types.int64(score, at, bar), emit

    @intrinsic
    def lowest(_context: Any, bits: Any) -> Any:
        """See the twin."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            word = _number(context, builder, arguments[0], signature.args[0], types.int64)
            return builder.cttz(word, ir.Constant(ir.IntType(1), 1))

        return types.int64(bits), emit

    @intrinsic
    def move(
        _context: Any, score: Any, near: Any, silence: Any, at: Any, bar: Any, doubt: Any, cost: Any, heard_ms: Any
    ) -> Any:
        """See the twin."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds = signature.args
            place = _number(context, builder, arguments[3], kinds[3], types.intp)
            limit, within, price = (_number(context, builder, arguments[i], kinds[i], types.int16) for i in (4, 5, 6))
            heard = _number(context, builder, arguments[7], kinds[7], types.int32)
            scores = _part(context, builder, kinds[0], arguments[0], place)
            nears = _part(context, builder, kinds[1], arguments[1], place, 32)
            quiet = _load(builder, _part(context, builder, kinds[2], arguments[2], place))
            score_of = _load(builder, scores)
            far = builder.icmp_signed("<", score_of, _all(builder, builder.sub(limit, within), _SHORT))
            # as arithmetic, not as a choice: compilers would write only the chosen lanes, which AMD does lane by lane
            before = _load(builder, nears, 4)
            mask = builder.sext(far, ir.VectorType(ir.IntType(32), WIDTH))
            change = builder.and_(builder.sub(_all(builder, heard, ir.IntType(32)), before), mask)
            builder.store(builder.add(before, change), nears, align=4)
            margin = builder.sub(score_of, _all(builder, limit, _SHORT))
            kept = builder.select(
                builder.icmp_signed(">", margin, ir.Constant(_LANES, [0] * WIDTH)),
                margin,
                ir.Constant(_LANES, [0] * WIDTH),
            )
            moved = builder.add(builder.sub(kept, _all(builder, price, _SHORT)), quiet)
            builder.store(moved, scores, align=2)
            return context.get_dummy_value()

        return types.none(score, near, silence, at, bar, doubt, cost, heard_ms), emit
