"""How a benchmark asks the API: with a key of its own, and as often as it likes."""

from datetime import timedelta
from typing import Final

from api.access.limits import Rates
from api.settings import Settings
from storage.access.by_hand import add_program

_OFTEN: Final = 10_000_000
UNBOUNDED: Final = Settings(
    rates=Rates(
        read=_OFTEN, route=_OFTEN, write=_OFTEN, heavy=_OFTEN, nobody=_OFTEN, figures=_OFTEN, people_a_day_key=_OFTEN
    )
)


def api_key(database_url: str) -> str:
    """Return a new key that may see stores, their single visits, and customers."""
    roles = ("operations", "crm", "admin")
    return add_program(database_url, "benchmark", roles, None, holds_for=timedelta(days=1), by="benchmark")


def key_headers(database_url: str) -> dict[str, str]:
    """Return headers with such a key."""
    return {"Authorization": f"Bearer {api_key(database_url)}"}
