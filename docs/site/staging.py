"""Copy the pages to where the site is built, and turn links that leave `docs/` into links that stay inside.

A forge shows the repository, the site only its pages. So a link to a file elsewhere in the repository becomes a link
to its copy (Markdown and pictures) or its bare name (source), and a page that is named in a sentence a link to it.
"""

import posixpath
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

from docs.site.reference import Pages

HERE: Final = Path(__file__).parent
DOCS: Final = HERE.parent
TOP: Final = DOCS.parent

BROUGHT_ALONG: Final = {"benchmarks/RESULTS.md": "results/results.md", "README.md": "index.md"}
"""Files elsewhere in the repository that are pages of the site."""
_PICTURES: Final = {"api/static/mark.svg": "mark.svg", "docs/site/site.css": "stylesheets/site.css"}
_LINK: Final = re.compile(r"(!?\[[^\]\n]*\])\(([^)\s]+)\)")
_MENTION: Final = re.compile(
    r"`docs/(?P<code>[\w./-]+\.md)`"  # before other code, which stays, as links do
    r"|`(?:[^`\n]|\n(?!\n))*`|\[[^\]\n]*\]\([^)\n]*\)"
    r"|(?<![\w./-])docs/(?P<plain>[\w./-]+\.md)"
)
_ELSEWHERE: Final = re.compile(r"^([a-z][a-z0-9+.-]*:|#)")


def stage(folder: Path, reference: Pages) -> None:
    """Fill `folder` with settings and pages; what was there goes."""
    shutil.rmtree(folder, ignore_errors=True)
    pages = folder / "pages"
    shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("site", "__pycache__"))
    for source in pages.rglob("*.md"):
        inside = source.relative_to(pages).as_posix()
        source.write_text(relink(source.read_text(), f"docs/{inside}", inside))
    for name, inside in BROUGHT_ALONG.items():
        (pages / inside).parent.mkdir(parents=True, exist_ok=True)
        (pages / inside).write_text(relink((TOP / name).read_text(), name, inside))
    for picture in (TOP / "benchmarks").glob("*.svg"):
        shutil.copy(picture, pages / "results" / picture.name)
    for name, inside in _PICTURES.items():
        (pages / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(TOP / name, pages / inside)
    for name, text in reference.items():
        (pages / name).parent.mkdir(parents=True, exist_ok=True)
        (pages / name).write_text(text)
    (folder / "zensical.toml").write_text(_settings(reference))


def relink(text: str, at: str, inside: str) -> str:
    """Return a page whose links hold on the site.

    Parameters
    ----------
    text : str
        Markdown.
    at, inside : str
        Where the page stands in the repository, and among the pages.
    """

    def link(found: re.Match[str]) -> str:
        words, target = found.group(1), found.group(2)
        if _ELSEWHERE.match(target):
            return found.group(0)
        path, _, anchor = target.partition("#")
        there = posixpath.normpath(posixpath.join(posixpath.dirname(at), path))
        if there in {"docs/adr", "docs/adr/"}:
            there = "docs/adr/0001-record-decisions.md"
        page = BROUGHT_ALONG.get(there) or (there.removeprefix("docs/") if there.startswith("docs/") else None)
        if page is None and there.startswith("benchmarks/") and there.endswith(".svg"):
            page = f"results/{posixpath.basename(there)}"
        if page is None:
            return (
                words
                if words.startswith("!")
                else f"{words[1:-1]} (`{there}`)"
                if there not in words
                else words[1:-1]
            )
        moved = posixpath.relpath(page, posixpath.dirname(inside) or ".")
        return f"{words}({moved}{'#' + anchor if anchor else ''})"

    def mention(found: re.Match[str]) -> str:
        named = found["code"] or found["plain"]
        if named is None or named == inside or not (DOCS / named).is_file():
            return found.group(0)
        return f"[{found.group(0)}]({posixpath.relpath(named, posixpath.dirname(inside) or '.')})"

    return _outside_code(text, lambda part: _MENTION.sub(mention, _LINK.sub(link, part)))


def _outside_code(text: str, change: Callable[[str], str]) -> str:
    """Change what is not inside a fenced block."""
    parts = re.split(r"(^```.*?^```[ \t]*$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if part.startswith("```") else change(part) for part in parts)


def _settings(reference: Pages) -> str:
    """Fill in the pages that are many: the decisions and the reference."""
    decisions = sorted(path for path in (DOCS / "adr").glob("*.md"))
    named = [f'{{ "{_title(path)}" = "adr/{path.name}" }}' for path in decisions]
    pages = [
        f'{{ "{Path(name).stem.replace("-", " ").replace("index", "overview")}" = "{name}" }}' for name in reference
    ]
    text = (HERE / "zensical.toml").read_text()
    unnamed = [page for page in sorted(DOCS.glob("*.md")) if f'"{page.name}"' not in text]
    more = ", ".join(f'{{ "{_title(page)}" = "{page.name}" }}' for page in unnamed)
    text = text.replace('"@more@",', f'{{ "More" = [{more}] }},' if more else "")
    text = text.replace('"@decisions@",', f'{{ "Decisions" = [{", ".join(named)}] }},')
    return text.replace('"@reference@"', ", ".join(pages))


def _title(page: Path) -> str:
    heading = page.read_text().splitlines()[0].lstrip("# ").strip()
    return heading.replace('"', "'")
