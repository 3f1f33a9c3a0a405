"""Who opens connections to elsewhere, by whose word: no address that a request names is asked without the guard."""

import ast
from pathlib import Path

from tests.rooms import ROOMS

ROOT = Path(__file__).parents[2]
CONNECTS = frozenset({"create_connection", "open_connection", "connect_tcp", "urlopen", "getaddrinfo"})
BY_A_REQUEST = {
    "webhooks/connecting.py": "receivers that an admin subscribed: each address is looked at first",
    "webhooks/sending.py": "speaks HTTP over what webhooks/connecting.py opened",
}
"""The address is in the database, where a request put it: these and no others."""
BY_THE_OPERATOR = {
    "api/access/provider_pages.py": "the identity provider of SOJOURN_OIDC_ISSUER, without redirects, https alone",
    "storage/archive/places.py": "the archive's bucket",
    "edge/tls.py": "the broker, to hear why it refused",
    "doctor/broker.py": "the broker",
    "simulators/demo/servers.py": "servers of the demo on this machine",
    "simulators/demo/pages.py": "pages of the demo on this machine",
}
"""Settings and command lines name the address; no route and no row does."""
HTTP = frozenset({"httpcore", "httpx", "httpx2", "requests", "urllib.request", "http.client", "aiohttp", "obstore",
                  "smtplib", "ftplib"})  # fmt: skip


def calls_out(path: Path) -> bool:
    """Whether a module speaks HTTP as a client, or connects a socket by itself."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        names = (
            [one.name for one in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom)
            else []
        )  # fmt: skip
        if any(name in HTTP or name.split(".")[0] in HTTP for name in names):
            return True
        if isinstance(node, ast.Attribute) and node.attr in CONNECTS:
            return True
    return False


def test_each_place_that_calls_out_is_known() -> None:
    found = {
        str(path.relative_to(ROOT))
        for room in ROOMS
        if room not in {"benchmarks", "servers", "tests", "docs"}
        for path in (ROOT / room).rglob("*.py")
        if calls_out(path)
    }
    assert found == BY_A_REQUEST.keys() | BY_THE_OPERATOR.keys(), "name who calls out, and by whose word"
