"""Look at the built pages: every link inside leads somewhere, and nothing is loaded from another host."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

_LOADED: Final = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}
_LOADED_RELS: Final = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload"}


@dataclass
class Found:
    """What is wrong, in words, and which addresses elsewhere are linked to."""

    broken: list[str] = field(default_factory=list)
    external: set[str] = field(default_factory=set)


class _Page(HTMLParser):
    """Links, loaded addresses and anchors of one page."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = {""}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note."""
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag in _LOADED and given.get(_LOADED[tag]):
            self.loaded.append(given[_LOADED[tag]])
        elif tag == "link" and _LOADED_RELS & set(given.get("rel", "").split()):
            self.loaded.append(given.get("href", ""))


def check(site: Path) -> Found:
    """Look at every page of a built site."""
    pages: dict[Path, _Page] = {}
    for file in sorted(site.rglob("*.html")):
        page = _Page()
        page.feed(file.read_text())
        pages[file.resolve()] = page
    found = Found()
    for file, page in pages.items():
        name = file.relative_to(site.resolve()).as_posix()
        for address in page.loaded:
            if urlsplit(address).netloc:
                found.broken.append(f"{name} loads {address} from elsewhere")
            elif not address.startswith("data:") and not _target(site, file, address).exists():
                found.broken.append(f"{name} loads {address}, which is not there")
        for address in page.links:
            if urlsplit(address).scheme or urlsplit(address).netloc:
                found.external.add(address)
            elif fault := _fault(site, file, address, pages):
                found.broken.append(f"{name} links to {address}: {fault}")
    return found


def _fault(site: Path, file: Path, address: str, pages: dict[Path, _Page]) -> str:
    target = _target(site, file, address)
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return "no such page"
    page = pages.get(target)
    anchor = unquote(urlsplit(address).fragment)
    return f"no anchor {anchor!r}" if page is not None and anchor not in page.anchors else ""


def _target(site: Path, file: Path, address: str) -> Path:
    path = unquote(urlsplit(address).path)
    if not path:
        return file
    return (site.resolve() / path.lstrip("/") if path.startswith("/") else file.parent / path).resolve()
