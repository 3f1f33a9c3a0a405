import numpy as np

from benchmarks.workload import AWAY, workload

SIGNALS = 40_000
DEVICES = 80


def test_the_same_seed_gives_the_same_signals_and_another_one_does_not() -> None:
    one, same, other = (workload(SIGNALS, seed, devices=DEVICES) for seed in (3, 3, 4))
    for first, second, third in zip(one, same, other, strict=True):
        assert first.signals.tobytes() == second.signals.tobytes()
        assert first.truth.tobytes() == second.truth.tobytes()
        assert first.signals.tobytes() != third.signals.tobytes()


def test_it_is_as_large_as_asked_and_half_of_it_out_of_order() -> None:
    stores = workload(SIGNALS, 1, devices=DEVICES)
    assert [len(store.signals) for store in stores] == [SIGNALS // 4] * 4
    for store in stores:
        ts = store.signals["ts"]
        assert 0.4 < (np.diff(ts) < 0).mean() < 0.55
        behind_s = (np.maximum.accumulate(ts) - ts).max() / 1e9
        assert 0.5 < behind_s < 2.1  # edges send once a second, each at its moment
        assert len(np.unique(store.signals["device"])) == DEVICES // 4


def test_true_stays_of_a_device_follow_one_another_and_the_loudest_anchor_is_near_them() -> None:
    store = workload(SIGNALS, 1, devices=DEVICES)[0]
    right = heard = 0
    for device in range(DEVICES // 4):
        stays = store.truth[store.truth["device"] == device]
        assert (stays["entered_at"][1:] == stays["left_at"][:-1]).all()
        signals = store.signals[store.signals["device"] == device]
        stay = stays[np.searchsorted(stays["left_at"], signals["ts"], side="right").clip(max=len(stays) - 1)]
        loud = signals["rssi_dbm"] > -70
        # what is sent at the very end of a stay is stamped a few milliseconds later, in the next one
        right += int((stay["zone"] == signals["anchor"])[loud].sum())
        heard += int(loud.sum())
        assert (stay["zone"] != AWAY).mean() > 0.99
    assert right / heard > 0.6  # by chance 1 in 12; who stands at a border is heard as loudly next door


def test_chunks_name_their_devices_by_a_table_of_their_own() -> None:
    store = workload(SIGNALS, 1, devices=DEVICES)[0]
    chunks = store.chunks(1_000)
    assert sum(len(chunk.signals) for chunk in chunks) == len(store.signals)
    for chunk, begin in zip(chunks, range(0, len(store.signals), 1_000), strict=True):
        meant = store.pseudonyms[store.signals["device"][begin : begin + 1_000]]
        assert (chunk.pseudonyms[chunk.signals["device"]] == meant).all()
