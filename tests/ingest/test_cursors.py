import random
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from ingest.cursors import arrange, bounded, parked_count


@dataclass(frozen=True)
class Numbered:
    """An arrival that stands for `first` to `last`."""

    first: int
    last: int
    held_bytes: int = 1
    received_at: int = 0


def one(sequence: int, **given: int) -> Numbered:
    return Numbered(sequence, sequence, **given)


def lasts(pairs: tuple[tuple[str, Numbered], ...]) -> list[int]:
    return [arrival.last for _, arrival in pairs]


def test_the_next_one_is_ready() -> None:
    done = arrange([("k", one(3))], {}, {"k": 2})
    assert (lasts(done.ready), done.committed, done.parked) == ([3], {"k": 3}, {})


def test_what_is_in_the_log_is_repeated() -> None:
    done = arrange([("k", one(2)), ("k", one(1))], {}, {"k": 2})
    assert (lasts(done.repeated), done.ready, done.committed) == ([2, 1], (), {"k": 2})


def test_a_gap_is_parked_and_never_skipped() -> None:
    early = arrange([("k", one(5)), ("k", one(3))], {}, {"k": 1})
    assert (early.ready, parked_count(early.parked), early.committed) == ((), 2, {"k": 1})
    filled = arrange([("k", one(2))], early.parked, {"k": 1})
    assert (lasts(filled.ready), filled.committed) == ([2, 3], {"k": 3})
    assert parked_count(filled.parked) == 1
    last = arrange([("k", one(4))], filled.parked, {"k": 3})
    assert (lasts(last.ready), last.parked) == ([4, 5], {})


def test_boots_do_not_know_each_other() -> None:
    done = arrange([("old", one(9)), ("new", one(1))], {}, {"old": 7, "new": 0})
    assert lasts(done.ready) == [1]
    assert done.committed == {"old": 7, "new": 1}


def test_the_same_one_twice_in_a_row_is_ready_once() -> None:
    done = arrange([("k", one(1)), ("k", one(1)), ("k", one(3)), ("k", one(3))], {}, {"k": 0})
    assert (lasts(done.ready), lasts(done.repeated)) == ([1], [1, 3])


def test_what_stands_for_many_moves_the_cursor_over_all_of_them() -> None:
    done = arrange([("k", one(8)), ("k", Numbered(2, 7))], {}, {"k": 1})
    assert (lasts(done.ready), done.committed) == ([7, 8], {"k": 8})


def test_what_stands_for_many_may_overlap_what_is_in_the_log() -> None:
    done = arrange([("k", Numbered(2, 7)), ("k", one(5))], {}, {"k": 4})
    assert (lasts(done.ready), lasts(done.repeated)) == ([7], [5])


def test_a_boot_that_is_not_asked_about_keeps_waiting() -> None:
    parked = {"other": {5: one(5)}}
    done = arrange([("k", one(1))], parked, {"k": 0})
    assert done.parked == parked


def test_a_cursor_that_another_moved_releases_what_waited() -> None:
    done = arrange([("k", one(1))], {"k": {3: one(3), 4: one(4)}}, {"k": 3})
    assert (lasts(done.ready), lasts(done.repeated), done.parked) == ([4], [1, 3], {})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 12)), max_size=60), st.integers(0, 2**32))
def test_whatever_arrives_the_log_is_contiguous_and_without_repetition(
    sent: list[tuple[str, int]], seed: int
) -> None:
    chance = random.Random(seed)
    committed: dict[str, int] = {"a": 0, "b": 0}
    parked: dict[str, dict[int, Numbered]] = {}
    log: dict[str, list[int]] = {"a": [], "b": []}
    while sent:
        size = chance.randint(1, 5)
        now, sent = sent[:size], sent[size:]
        before = {key: dict(held) for key, held in parked.items()}
        done = arrange([(key, one(sequence)) for key, sequence in now], parked, committed)
        assert parked == before, "the input is not changed, so that the transaction can run again"
        for key, arrival in done.ready:
            log[key].append(arrival.last)
        assert len(done.ready) + len(done.repeated) + parked_count(done.parked) == len(now) + parked_count(parked)
        committed, parked = committed | done.committed, done.parked
        for key, logged in log.items():
            assert logged == list(range(1, committed[key] + 1))
            assert all(first > committed[key] + 1 for first in parked.get(key, {}))


@given(st.sets(st.integers(1, 30)), st.integers(0, 2**32))
def test_in_any_order_everything_up_to_the_first_missing_one_is_logged(present: set[int], seed: int) -> None:
    order = sorted(present)
    random.Random(seed).shuffle(order)
    done = arrange([("k", one(sequence)) for sequence in order], {}, {"k": 0})
    through = next(sequence for sequence in range(32) if sequence + 1 not in present)
    assert done.committed == {"k": through}
    assert lasts(done.ready) == list(range(1, through + 1))


def test_what_does_not_fit_goes_from_the_end_of_the_largest() -> None:
    parked = {
        "large": {first: one(first, held_bytes=10) for first in (3, 4, 5)},
        "small": {9: one(9, held_bytes=5)},
    }
    kept, gone = bounded(parked, most_bytes=26, not_before=0)
    assert ({key: sorted(held) for key, held in kept.items()}, gone) == ({"large": [3, 4], "small": [9]}, 1)
    assert bounded(parked, most_bytes=0, not_before=0) == ({}, 4)


def test_what_waited_too_long_goes() -> None:
    parked = {"k": {3: one(3, received_at=10), 4: one(4, received_at=20)}, "l": {7: one(7, received_at=5)}}
    kept, gone = bounded(parked, most_bytes=100, not_before=20)
    assert (kept, gone) == ({"k": {4: one(4, received_at=20)}}, 2)
