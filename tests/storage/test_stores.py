import json

import msgspec
import pytest

from core.errors import FloorPlanError
from core.floorplan import FloorPlan, load
from storage.connect import connect, in_transaction
from storage.stores import (
    EdgeStatus,
    adopt_plans,
    adopted_plans,
    edge_numbers,
    edges_heard,
    load_plans,
    plan_versions,
    save_plan,
    save_statuses,
)

pytestmark = pytest.mark.servers


def plan(*zones: str, store: str = "s1", anchors: int = 2) -> FloorPlan:
    return load(
        json.dumps(
            {
                "stores": [
                    {
                        "id": store,
                        "timezone": "Europe/Berlin",
                        "zones": [{"id": zone, "kind": "department"} for zone in zones],
                        "anchors": [{"id": f"a{n}", "zone": zones[0], "x": 0.1, "y": 2.5} for n in range(anchors)],
                        "adjacent": [[zones[0], zones[-1]]],
                    }
                ]
            }
        )
    )


def test_a_plan_is_read_back_as_it_was_saved(database_url: str) -> None:
    saved = plan("entrance", "shoes")
    with connect(database_url) as connection:
        assert save_plan(connection, saved) == ["s1"]
        (found,) = load_plans(connection)
        assert found.plan == saved.stores[0]
        assert load_plans(connection, ["other"]) == []
        zones = connection.execute("select zone_no, id, kind from zone order by zone_no").fetchall()
        anchors = connection.execute("select anchor_no, id, zone_no, x_m, floor from anchor order by 1").fetchall()
    assert zones == [(0, "entrance", "department"), (1, "shoes", "department")]
    assert anchors == [(0, "a0", 0, 0.1, None), (1, "a1", 0, 0.1, None)]


def test_saving_the_same_again_changes_nothing(database_url: str) -> None:
    with connect(database_url) as connection:
        save_plan(connection, plan("a", "b"))
        assert save_plan(connection, plan("a", "b")) == []
        assert plan_versions(connection) == {"s1": 1}


def test_a_zone_may_be_added_and_anchors_may_change(database_url: str) -> None:
    with connect(database_url) as connection:
        save_plan(connection, plan("a", "b"))
        assert save_plan(connection, plan("a", "b", "c", anchors=1)) == ["s1"]
        assert plan_versions(connection) == {"s1": 2}
        assert connection.execute("select count(*) from anchor").fetchone() == (1,)


@pytest.mark.parametrize("zones", [("b", "a"), ("a",), ("a", "c", "b")])
def test_a_zone_never_loses_its_place(database_url: str, zones: tuple[str, ...]) -> None:
    with connect(database_url) as connection:
        save_plan(connection, plan("a", "b"))
        with pytest.raises(FloorPlanError, match="would lose its place"):
            save_plan(connection, plan(*zones))
        assert plan_versions(connection) == {"s1": 1}


def test_plans_are_adopted_once_a_version_and_in_the_order_of_the_log(database_url: str) -> None:
    with connect(database_url) as connection:
        save_plan(connection, plan("a"))
        (first,) = adopt_plans(connection)
        assert adopt_plans(connection) == [first]
        save_plan(connection, plan("a", "b"))
        (second,) = adopt_plans(connection, ["s1", "unknown"])
        assert (second.version, second.plan) == (2, plan("a", "b").stores[0])
        assert second.log_no > first.log_no
        assert adopted_plans(connection, first.store_no) == [first, second]
        assert adopted_plans(connection, first.store_no, after=first.log_no) == [second]


def test_edges_get_a_number_once(database_url: str) -> None:
    with connect(database_url) as connection:
        save_plan(connection, plan("a"))
        (stored,) = load_plans(connection)
        one, two = (stored.store_no, "e1"), (stored.store_no, "e2")
        first = in_transaction(connection, lambda c: edge_numbers(c, [one]))
        both = in_transaction(connection, lambda c: edge_numbers(c, [two, one, two]))
        assert both[one] == first[one]
        assert both[two].log_no > first[one].log_no
        assert edges_heard(connection, stored.store_no, after=0) == [both[one], both[two]]
        assert edges_heard(connection, stored.store_no, after=first[one].log_no) == [both[two]]
        said = EdgeStatus(
            stored.store_no, "e1", {"state": "online", "anchors": ("a\0", "\ud800")}, 1_700_000_000_123_456_000
        )
        in_transaction(connection, lambda c: save_statuses(c, [said]))
        row = connection.execute(
            "select status->>'state', (extract(epoch from status_at) * 1000000)::bigint from edge where id = 'e1'"
        ).fetchone()
        anchors = connection.execute("select status->'anchors' from edge where id = 'e1'").fetchone()
    assert row == ("online", 1_700_000_000_123_456)
    assert anchors == (["a", "?"],), "what jsonb cannot hold is left out"


def test_a_name_that_cannot_be_stored_is_said(database_url: str) -> None:
    named = msgspec.structs.replace(plan("a").stores[0], name="a\0")
    with connect(database_url) as connection, pytest.raises(FloorPlanError, match="NUL"):
        save_plan(connection, FloorPlan(stores=(named,)))
