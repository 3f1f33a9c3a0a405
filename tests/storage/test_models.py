"""Versions of models, wishes for them, and the end of the log that one is learnt from."""

import msgspec
import numpy as np
import pytest

from core.dwell.model import Model, dump, prior_model
from core.errors import ModelError
from core.floorplan import FloorPlan, load
from storage.connect import Connection, connect, in_transaction
from storage.log.signals import LogEntry, append
from storage.models import (
    LogSpan,
    ModelUse,
    Wish,
    adopt_model,
    adopted_models,
    answered,
    first_arrival,
    fitting,
    load_model,
    model_use,
    newest_span,
    pieces,
    refreshable,
    save_model,
    stored_models,
    want_model,
    wishes,
)
from storage.stores import adopt_plans, save_plan

pytestmark = pytest.mark.servers
S = 10**9
NOON = 1_700_000_000 * S
PLAN = """{"stores": [{"id": "s1", "timezone": "UTC", "zones": [{"id": "a"}, {"id": "b"}],
  "anchors": [{"id": "x", "zone": "a"}, {"id": "y", "zone": "b"}]}]}"""


def floor_plan() -> FloorPlan:
    return load(PLAN)


def louder(by_db: float) -> Model:
    prior = prior_model(floor_plan().stores[0])
    return Model(
        spot_zone=prior.spot_zone,
        level_dbm=(prior.level_dbm + by_db).astype(np.float32),
        detection=prior.detection,
        spread_db=prior.spread_db,
        decodable=prior.decodable,
        origin="calibrated",
        signals=5000,
        plan_fingerprint=prior.plan_fingerprint,
    )


def add_store(connection: Connection) -> int:
    save_plan(connection, floor_plan())
    return adopt_plans(connection)[0].store_no


def log(connection: Connection, store_no: int, *arrivals_s: int) -> list[int]:
    entries = [
        LogEntry(store_no, 1, bytes(16), n + 1, NOON + at * S, 10, NOON, NOON, bytes(32), b"b")
        for n, at in enumerate(arrivals_s)
    ]
    return in_transaction(connection, lambda connection: append(connection, entries))


def test_versions_count_from_one_and_keep_what_they_were_learnt_from(database_url: str) -> None:
    span = LogSpan(3, 9, NOON, NOON + S, 5000)
    with connect(database_url) as connection:
        store_no = add_store(connection)
        assert in_transaction(connection, lambda c: save_model(c, store_no, louder(1), span=span)) == 1
        assert in_transaction(connection, lambda c: save_model(c, store_no, louder(2), span=None)) == 2
        first, second = stored_models(connection, store_no)
        assert (first.version, first.origin, first.signals, first.span) == (1, "learnt", 5000, span)
        assert (second.version, second.origin, second.span) == (2, "loaded", None)
        assert first.plan_fingerprint == louder(1).plan_fingerprint
        plan = floor_plan().stores[0]
        found = load_model(connection, store_no, plan, 2)
        assert found is not None
        assert dump(found) == dump(louder(2))
        assert load_model(connection, store_no, plan, 0) is None
        with pytest.raises(ModelError, match="no version 3"):
            load_model(connection, store_no, plan, 3)


def test_a_wish_is_answered_at_a_place_in_the_log(database_url: str) -> None:
    with connect(database_url) as connection:
        store_no = add_store(connection)
        assert wishes(connection) == {}
        in_transaction(connection, lambda c: save_model(c, store_no, louder(1), span=None))
        want_model(connection, store_no, 1)
        assert wishes(connection) == {store_no: Wish(1, 1)}
        (before,) = log(connection, store_no, 0)
        adopted = in_transaction(connection, lambda c: adopt_model(c, store_no, Wish(1, 1)))
        assert adopted.log_no > before
        assert answered(connection) == {store_no: 1}
        want_model(connection, store_no, 0)
        back = in_transaction(connection, lambda c: adopt_model(c, store_no, wishes(connection)[store_no]))
        assert (back.version, back.model, back.asked) == (0, None, 2)
        assert adopted_models(connection, store_no) == [adopted, back]
        assert adopted_models(connection, store_no, after=adopted.log_no) == [back]
        assert adopted.model == dump(louder(1))
        assert model_use(connection, store_no) == ModelUse(0, 0)


def test_who_decided_is_not_overruled_by_the_night(database_url: str) -> None:
    span = LogSpan(0, 1, NOON, NOON, 1)
    with connect(database_url) as connection:
        store_no = add_store(connection)
        assert refreshable(connection, store_no), "nobody has wished for anything"
        in_transaction(connection, lambda c: save_model(c, store_no, louder(1), span=span))
        in_transaction(connection, lambda c: save_model(c, store_no, louder(2), span=None))
        for version, allowed in ((1, True), (2, False), (0, False)):
            want_model(connection, store_no, version)
            assert refreshable(connection, store_no) is allowed


def test_the_end_of_the_log_is_counted_back_from_its_newest_row(database_url: str) -> None:
    with connect(database_url) as connection:
        store_no = add_store(connection)
        assert newest_span(connection, store_no) is None
        assert first_arrival(connection, store_no) is None
        numbers = log(connection, store_no, 0, 100, 200, 300)
        assert newest_span(connection, store_no, 150 * S) == LogSpan(
            numbers[2] - 1, numbers[3], NOON + 200 * S, NOON + 300 * S, 20
        )
        everything = newest_span(connection, store_no)
        assert everything == LogSpan(numbers[0] - 1, numbers[3], NOON, NOON + 300 * S, 40)
        assert first_arrival(connection, store_no) == NOON
        assert list(pieces(connection, store_no, everything, 2)) == [numbers[0], numbers[2]]


def test_a_model_of_other_spots_or_another_plan_does_not_fit() -> None:
    plan = floor_plan().stores[0]
    moved = msgspec.structs.replace(plan, anchors=plan.anchors[:1])
    with pytest.raises(ModelError, match="another floor plan"):
        fitting(dump(louder(1)), moved)
    model = louder(1)
    doubled = Model(
        spot_zone=np.array([0, 0, 1], np.int16),
        level_dbm=model.level_dbm[[0, 0, 1]],
        detection=model.detection[[0, 0, 1]],
        spread_db=model.spread_db,
        decodable=model.decodable,
        origin="calibrated",
        signals=1,
        plan_fingerprint=model.plan_fingerprint,
    )
    with pytest.raises(ModelError, match="other spots"):
        fitting(dump(doubled), plan)
