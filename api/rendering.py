"""Templates to answers."""

import re
from pathlib import Path
from typing import Any, Final

import jinja2
from fastapi.responses import HTMLResponse, Response

from api import wording
from api.access.asking import FORM_FIELD, asking_now
from api.access.navigation import may_open, sections

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
        "heat_step", "dwell_short", "days", "happening", "beside", "local_input", "pieces", "sure",
    ):  # fmt: skip
        environment.filters[name] = getattr(wording, name)
    environment.globals |= {"wording": wording, "asking_now": asking_now, "may_open": may_open, "sections": sections}
    return environment


_TEMPLATES: Final = _templates()


_FORM: Final = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*>')


def render(template: str, **context: Any) -> Response:
    """Return a page made of a template; every form that changes something carries its session's token.

    The token is put in here and not in each template, so that no form can forget it.
    """
    page = _TEMPLATES.get_template(template).render(**context)
    session = asking_now().session
    if session is not None:
        field = f'<input type="hidden" name="{FORM_FIELD}" value="{session.form_token}">'
        page = _FORM.sub(lambda found: found.group() + field, page)
    return HTMLResponse(page)
