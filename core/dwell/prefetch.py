"""Ask the processor for a row of an array before it is needed; changes no result.

With more devices than the cache holds, a decoder step waits for memory; asked for a few signals ahead, it does not.
"""

from typing import Any, Final

from llvmlite import ir  # type: ignore[import-untyped]  # llvmlite ships no types
from numba import config
from numba.core import types
from numba.extending import intrinsic

LINE_BYTES: Final = 64

if config.DISABLE_JIT:  # type: ignore[attr-defined]  # made from the environment

    def prefetch_row(rows: Any, row: Any) -> None:
        """Do nothing: without compiled code there is nothing to win."""

else:

    @intrinsic
    def prefetch_row(_context: Any, rows: Any, row: Any) -> Any:
        """Emit `llvm.prefetch` (read, keep in all caches) for every cache line of `rows[row]`."""

        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            byte = ir.IntType(8).as_pointer()
            word = ir.IntType(32)
            stride = builder.extract_value(array.strides, 0)
            place = context.cast(builder, arguments[1], signature.args[1], types.intp)
            begin = builder.gep(builder.bitcast(array.data, byte), [builder.mul(place, stride)])
            kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
            prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
            for offset in range(0, context.get_abi_sizeof(context.get_data_type(rows.dtype)), LINE_BYTES):
                line = builder.gep(begin, [context.get_constant(types.intp, offset)])
                builder.call(prefetch, [line, word(0), word(3), word(1)])
            return context.get_dummy_value()

        return types.none(rows, row), emit
