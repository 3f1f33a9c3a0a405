"""Every reader of foreign bytes, with sound and damaged input: the fixed run beside `make fuzz`."""

from itertools import chain
from pathlib import Path

import pytest

from tests.fuzz.mutate import damaged, told_wrongly
from tests.fuzz.seeds import seeds
from tests.fuzz.targets import TARGETS

FOUND = Path(__file__).parent / "corpus"
SEEDS = seeds()
COUNT = {
    "batch": 6000,
    "status": 6000,
    "committed": 6000,
    "plan": 3000,
    "engine_snapshot": 300,
    "advertisement": 6000,
    "edge_config": 2000,
    "gateway": 1500,
}
OTHERS = 400  # files, each of which costs a millisecond or more


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_sound_and_what_was_found_before_is_read(target: str) -> None:
    for data in [*SEEDS[target], *(path.read_bytes() for path in sorted((FOUND / target).glob("*")))]:
        TARGETS[target](data)


@pytest.mark.parametrize("target", TARGETS)
def test_damage_is_answered_by_an_error_of_ours(target: str) -> None:
    count = COUNT.get(target, OTHERS)
    inputs = chain(damaged(SEEDS[target], count, seed=len(target)), told_wrongly(SEEDS[target], count, len(target)))
    for number, data in enumerate(inputs):
        try:
            TARGETS[target](data)
        except BaseException as error:
            error.add_note(f"input {number}: {data!r}")
            raise
