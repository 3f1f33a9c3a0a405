"""How a page is made of its template; each page module uses this one environment."""

from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi.responses import HTMLResponse, Response

from api import wording

_TEMPLATES: Final = Path(__file__).parent / "templates"


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for name in (
        "clock", "minute", "day", "utc_iso", "zone_abbreviation", "dwell", "dwell_range", "per_cent", "people",
        "heat_step", "dwell_short", "local_input", "pieces",
    ):  # fmt: skip
        environment.filters[name] = getattr(wording, name)
    environment.globals["wording"] = wording
    return environment


_ENVIRONMENT: Final = _environment()


def render(template: str, **context: Any) -> Response:
    """Return the page that a template makes of this."""
    return HTMLResponse(_ENVIRONMENT.get_template(template).render(**context))
