from edge.outbox import Row
from edge.window import PATIENCE_S, REFUSED_S, Step, Window

BOOT = b"b" * 16
OTHER = b"o" * 16


def row(place: int, sequence: int | None = None, boot: bytes = BOOT) -> Row:
    return Row(place, boot, place if sequence is None else sequence, b"", b"", 0)


def filled(rows: int, most: int = 8) -> Window:
    window = Window(most)
    for place in range(1, rows + 1):
        window.sent(row(place), now_s=0.0)
    return window


def test_no_more_than_the_window_is_on_its_way() -> None:
    window = filled(8)
    assert window.free == 0
    assert window.behind == 8
    assert window.committed(BOOT, 3, 0.1)
    assert window.free == 3
    assert window.behind == 8


def test_a_commit_of_another_boot_frees_nothing() -> None:
    window = filled(3)
    assert not window.committed(OTHER, 99, 0.1)
    assert len(window) == 3


def test_progress_keeps_the_peace() -> None:
    window = filled(8)
    for second in range(1, 8):
        window.committed(BOOT, second, float(second))
        assert window.step(second + PATIENCE_S[0] - 0.01) is Step.WAIT
    window.committed(BOOT, 8, 8.0)
    assert window.step(10_000.0) is Step.WAIT  # nothing is on its way


def test_silence_asks_and_an_answer_without_the_rows_sends_again() -> None:
    window = filled(2)
    assert window.step(PATIENCE_S[0] - 0.1) is Step.WAIT
    window.answered()  # ingest spoke by itself, nobody had asked
    assert window.step(PATIENCE_S[0]) is Step.HELLO
    window.asked(PATIENCE_S[0])
    assert window.step(PATIENCE_S[0] + 0.1) is Step.WAIT
    window.answered()
    assert window.step(PATIENCE_S[0] + 0.2) is Step.SEND_AGAIN
    window.forget(20.0)
    assert len(window) == 0
    assert window.behind == 0


def test_without_an_answer_nothing_is_sent_again_for_a_long_time() -> None:
    window = filled(2)
    now_s, hellos = 0.0, 0
    while window.step(now_s) is not Step.SEND_AGAIN:
        if window.step(now_s) is Step.HELLO:
            window.asked(now_s)
            hellos += 1
        now_s += 1.0
    assert now_s == PATIENCE_S[1]
    assert hellos > 10


def test_patience_grows_until_there_is_progress() -> None:
    window = filled(1)
    waits = []
    now_s = 0.0
    for _ in range(8):
        began_s = now_s
        while window.step(now_s) is not Step.HELLO:
            now_s += 0.5
        waits.append(now_s - began_s)
        window.asked(now_s)
        window.answered()
        assert window.step(now_s) is Step.SEND_AGAIN
        window.forget(now_s)
        window.sent(row(1), now_s)
    assert waits[:3] == [PATIENCE_S[0], 2 * PATIENCE_S[0], 4 * PATIENCE_S[0]]
    assert waits[-1] == PATIENCE_S[1]
    window.committed(BOOT, 1, now_s)
    window.sent(row(2), now_s)
    assert window.step(now_s + PATIENCE_S[0]) is Step.HELLO


def test_a_refusal_holds_back_and_then_sends_again() -> None:
    window = filled(2)
    window.refused(1.0)
    assert window.free == 0
    window.refused(1.0 + REFUSED_S / 2)  # the next message's refusal does not prolong the wait
    assert window.step(1.0 + REFUSED_S - 0.01) is Step.WAIT
    assert window.step(1.0 + REFUSED_S) is Step.SEND_AGAIN
    window.forget(3.0)
    assert window.free == 8
