"""Templates to answers."""

from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi.responses import HTMLResponse, Response

from api import wording

HERE: Final = Path(__file__).parent


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for name in (
        "clock", "minute", "day", "utc_iso", "zone_abbreviation", "dwell", "dwell_range", "per_cent", "people",
        "heat_step", "dwell_short", "days", "happening", "beside", "local_input", "pieces",
    ):  # fmt: skip
        environment.filters[name] = getattr(wording, name)
    environment.globals["wording"] = wording
    return environment


_TEMPLATES: Final = _templates()


def render(template: str, **context: Any) -> Response:
    """Return a page made of a template."""
    return HTMLResponse(_TEMPLATES.get_template(template).render(**context))
