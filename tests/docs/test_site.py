"""The documentation as a site: links are moved, the reference is whole, and a broken link is found."""

from pathlib import Path

from api.app import create_app
from docs.site.links import check
from docs.site.reference import reference
from docs.site.staging import BROUGHT_ALONG, TOP, relink

URL = "postgresql://nobody@127.0.0.1:1/nothing"


def test_links_that_leave_the_docs_lead_to_what_was_brought_along_or_become_words() -> None:
    text = (
        "[results](../benchmarks/RESULTS.md#speed), [a](operate.md#models), [src](../simulators/chain/draws.py),"
        " [w](https://a.example/x), ![s](soak.svg)"
    )
    assert relink(text, "docs/benchmarks.md", "benchmarks.md") == (
        "[results](results/results.md#speed), [a](operate.md#models), src (`simulators/chain/draws.py`),"
        " [w](https://a.example/x), ![s](soak.svg)"
    )
    moved = relink("[edge](docs/edge.md) [all](docs/adr/) ![p](docs/screenshots/live.png)", "README.md", "index.md")
    assert moved == "[edge](edge.md) [all](adr/0001-record-decisions.md) ![p](screenshots/live.png)"
    assert relink("![s](speed.svg)", "benchmarks/RESULTS.md", "results/results.md") == "![s](speed.svg)"
    assert relink("```\n[x](../y.md)\n```\n", "docs/a.md", "a.md") == "```\n[x](../y.md)\n```\n"


def test_a_page_that_a_sentence_names_is_a_link_to_it() -> None:
    text = "Held (docs/edge.md), see `docs/wire.md`; [docs/edge.md](../edge.md),"
    text += " `cat docs/edge.md`, docs/none.md, ../docs/edge.md."
    assert relink(text, "docs/adr/0001-a.md", "adr/0001-a.md") == (
        "Held ([docs/edge.md](../edge.md)), see [`docs/wire.md`](../wire.md); [docs/edge.md](../edge.md),"
        " `cat docs/edge.md`, docs/none.md, ../docs/edge.md."
    )
    assert relink("This is docs/edge.md.", "docs/edge.md", "edge.md") == "This is docs/edge.md."


def test_what_is_brought_along_is_there() -> None:
    assert [name for name in BROUGHT_ALONG if not (TOP / name).exists()] == []


def test_every_operation_of_the_api_stands_in_the_reference_once() -> None:
    described = create_app(URL).openapi()
    pages = reference(described)
    text = "\n".join(page for name, page in pages.items() if name != "reference/index.md")
    for path, operations in described["paths"].items():
        for method in operations:
            assert text.count(f"```http\n{method.upper()} {path}\n```") == 1, f"{method} {path}"
            assert f"`{method.upper()} {path}`" in pages["reference/index.md"]


def test_broken_links_missing_anchors_and_assets_from_elsewhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        '<h1 id="top">A</h1><a href="b.html#there">x</a><a href="b.html#gone">x</a><a href="c.html">x</a>'
        '<a href="#top">x</a><a href="https://a.example/">x</a><img src="p.png"><script src="https://cdn.example/x.js">'
        '</script><link rel="stylesheet" href="//fonts.example/f.css">'
    )
    (tmp_path / "b.html").write_text('<p id="there">B</p>')
    found = check(tmp_path)
    assert found.external == {"https://a.example/"}
    assert found.broken == [
        "a.html loads p.png, which is not there",
        "a.html loads https://cdn.example/x.js from elsewhere",
        "a.html loads //fonts.example/f.css from elsewhere",
        "a.html links to b.html#gone: no anchor 'gone'",
        "a.html links to c.html: no such page",
    ]
