"""Every flaw of a plan is told, each at the line and column where it stands."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import sojourn
from core.errors import FloorPlanError
from core.floorplan import load
from core.floorplan_check import check_text
from core.json_places import Places

DEMO = Path(__file__).parents[2] / "simulators" / "plans" / "demo.json"
BAD = """{
  "stores": [
    {
      "id": "marktplatz",
      "timezone": "Europe/Berln",
      "zones": [
        {"id": "entrance", "kind": "entrance", "outline": [[0, 0], [5, 0], [5, 5], [0, 5]]},
        {"id": "shoes", "kind": "shelv"},
        {"id": "shoes", "knd": "shelf", "parent": "shoes"}
      ],
      "anchors": [
        {"id": "a 1", "zone": "entrance", "x": 20, "y": 4},
        {"id": "a2", "zone": "bags"}
      ],
      "adjacent": [["entrance", "hats"]]
    }
  ]
}
"""


def told(text: str) -> list[tuple[str, str]]:
    """What stands at each finding's place, and the finding."""
    lines = text.splitlines()
    return [
        (lines[at.line - 1][at.column - 1 :], f"{grave}: {what}") for at, grave, what, _ in check_text(text.encode())
    ]


def test_everything_wrong_is_told_where_it_stands() -> None:
    found = told(BAD)
    for begins, says in (
        ('"Europe/Berln"', "True: 'Europe/Berln' is not a time zone."),
        ('"shelv"', "True: Zone 'shoes' is of the unknown kind 'shelv'."),
        ('"shoes", "knd"', "True: The zone id 'shoes' stands there twice."),
        ('"shelf"', "False: Nobody reads the field 'knd'."),
        ('"shoes"}', "True: Zone 'shoes' lies within itself."),
        ('{"id": "a 1"', "False: Anchor 'a 1' stands at 20, 4, outside of its zone 'entrance'."),
        ('"a 1"', "True: 'a 1' cannot be the id of an anchor."),
        ('"bags"', "True: Anchor 'a2' names the unknown zone 'bags'."),
        ('"hats"', "True: The adjacent pair ['entrance', 'hats'] names the unknown zone 'hats'."),
    ):
        assert [what for at, what in found if at.startswith(begins) and what == says], (says, found)
    assert len(found) == 9


@pytest.mark.parametrize(
    ("broken", "begins", "says"),
    [
        (BAD.replace('"x": 20', '"x": "20"'), '"20"', "Expected a number or nothing, got a text."),
        (BAD.replace('"zone": "bags"', '"z": 1'), '{"id": "a2"', "Object missing required field 'zone'."),
        (BAD.replace("[5, 0]", "[5]"), "[5]", "Expected a list of length 2, got 1."),
        (BAD.replace('"zones": [', '"zones": ,['), ",[", "This is not JSON: Expecting value."),
        (
            BAD.replace('"x": 20', '"x": "20"'),
            '"hats"',
            "The adjacent pair ['entrance', 'hats'] names the unknown zone 'hats'.",
        ),
        (BAD.replace('"x": 20', '"floor": [], "x": "20"'), "[]", "Expected a whole number or nothing, got a list."),
        (BAD.replace('"x": 20', '"floor": [], "x": "20"'), '"20"', "Expected a number or nothing, got a text."),
        (BAD.replace('"x": 20', '"x": NaN'), "NaN", "nan is no number."),
        (BAD.replace('"x": 20', '"x": -1e999'), "-1e999", "-inf is no number."),
        (BAD.replace('"x": 20', '"x": NaN'), '"shelv"', "Zone 'shoes' is of the unknown kind 'shelv'."),
        (BAD.replace('"x": 20', '"x": 1e308'), "1e308", "1e+308 m is no place."),
        (BAD.replace('"y": 4', '"y": -20000001'), "-20000001", "-2e+07 m is no place."),
        (BAD.replace("[5, 0]", "[5, 1e308]"), "1e308", "1e+308 m is no place."),
        (BAD.replace('"adjacent"', '"walls": [[[0, 0], [9, 3e7]]], "adjacent"'), "3e7", "3e+07 m is no place."),
        (BAD.replace('"x": 20', '"floor": 32768'), "32768", "There is no floor 32768."),
        (
            BAD.replace('"kind": "shelv"', '"kind": "shelf", "kind": 3'),
            '"kind": 3',
            "The field 'kind' stands there twice.",
        ),
        (BAD.replace('"kind": "shelv"', '"kind": "shelf", "kind": 3'), "3}", "Expected a text, got a whole number."),
        (BAD.replace('{"id": "a2"', '{"id": "a3", "id": "a2"'), '"id": "a2"', "The field 'id' stands there twice."),
        ('{"stores": 3}', "{", "A floor plan is an object with a list of stores."),
        ('{"stores": []}', "[]", "A floor plan has 1 to 10000 stores, this one 0."),
        ("[" * 100 + "]" * 100, "[", "The text cannot be read: The text nests too deep.."),
    ],
)
def test_what_has_not_the_right_form_is_told_too(broken: str, begins: str, says: str) -> None:
    assert [at for at, what in told(broken) if what == f"True: {says}" and at.startswith(begins)], told(broken)


@pytest.mark.parametrize(
    ("part", "instead", "says"),
    [
        ('"x":', '"x": 1e308, "was":', "1e+308 m is no place."),
        ('"id": "marktplatz"', '"id": "quay", "id": "marktplatz"', "The field 'id' stands there twice."),
        ('"floor": 0', '"floor": 40000', "There is no floor 40000."),
    ],
)
def test_what_the_check_refuses_is_not_loaded_either(part: str, instead: str, says: str) -> None:
    plan = DEMO.read_text()
    assert part in plan
    load(plan)
    with pytest.raises(FloorPlanError, match=re.escape(says)):
        load(plan.replace(part, instead, 1))


def test_good_plans_are_good_and_bytes_that_are_no_text_are_told() -> None:
    assert check_text(DEMO.read_bytes()) == []
    (finding,) = check_text(b'{"stores":\n "\xff"')
    assert (finding.place, finding.what) == ((2, 3), "This is not UTF-8.")


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
        max_leaves=12,
    ),
    st.sampled_from([None, 2]),
)
def test_places_are_where_values_begin(value: object, indent: int | None) -> None:
    text = json.dumps(value, indent=indent)
    places = Places(text)

    def look(inner: object, path: tuple[str | int, ...]) -> None:
        line, column = places.of(path)
        rest = "\n".join([text.splitlines()[line - 1][column - 1 :], *text.splitlines()[line:]])
        assert json.JSONDecoder().raw_decode(rest)[0] == inner
        for key, part in (
            inner.items() if isinstance(inner, dict) else enumerate(inner if isinstance(inner, list) else ())
        ):
            look(part, (*path, key))

    look(value, ())


def test_the_command_line_says_so(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(BAD)
    refused = CliRunner().invoke(sojourn.app, ["floorplan", "check", str(path)])
    assert refused.exit_code == 2
    assert f"{path}:8:33: error: Zone 'shoes' is of the unknown kind 'shelv'." in refused.output
    assert "7 errors, 2 warnings" in refused.output
    fine = CliRunner().invoke(sojourn.app, ["floorplan", "check", str(DEMO)])
    assert (fine.exit_code, fine.output.splitlines()[0]) == (0, "marktplatz: 12 zones, 17 anchors, Europe/Berlin")
    drawn = CliRunner().invoke(sojourn.app, ["floorplan", "draw", str(DEMO), "--out", str(tmp_path / "plan.svg")])
    assert drawn.exit_code == 0, drawn.output
    assert (tmp_path / "plan.svg").read_text().startswith("<svg xmlns")


SHAPES = """{"stores": [{"id": "s", "timezone": "UTC", "zones": [
{"id": "a", "outline": [[0, 0], [5, 5], [0, 5], [5, 0]]},
{"id": "b", "outline": [[0, 0], [0, 0], [0, 0]]},
{"id": "c", "outline": [[10, 0], [30, 0], [30, 20], [10, 20]]},
{"id": "d", "outline": [[12, 2], [14, 2], [14, 4], [12, 4]]},
{"id": "e", "outline": [[15, 2], [17, 2], [17, 4], [15, 4]], "parent": "c"},
{"id": "f", "outline": [[30, 0], [40, 0], [40, 20], [30, 20]]},
{"id": "g", "outline": [[0, 0], [9000000, 0], [9000000, 4]]}],
"anchors": [{"id": "x", "zone": "a"}],
"walls": [[[0, 0], [0, 0]], [[1, 1], [1e7, 1]], [[1, 1], [2, 1]], [1]],
"adjacent": [["a", "b", "c"],
["d", "d"], ["e", "nix"]]}]}"""


def test_shapes_that_hardly_mean_what_they_draw_are_told() -> None:
    assert [(at[:12], what) for at, what in told(SHAPES)] == [
        ("[[0, 0], [5,", "False: The outline crosses itself."),
        ("[[0, 0], [0,", "False: An outline of fewer than three corners encloses nothing."),
        ('{"id": "d", ', "False: Zone 'd' lies within 'c', which it does not name as its parent."),
        ("[[0, 0], [90", "False: A corner is more than 10,000 m away."),
        ("[[0, 0], [0,", "False: This wall has no length."),
        ("[[1, 1], [1e", "False: The wall ends more than 10,000 m away."),
        ("[1]],", "True: Expected a list of length 2, got 1."),
        ('["a", "b", "', "True: Expected a list of length 2, got 3."),
        ('["d", "d"], ', "False: The adjacent pair ['d', 'd'] is one zone."),
        ('"nix"]]}]}', "True: The adjacent pair ['e', 'nix'] names the unknown zone 'nix'."),
    ]
