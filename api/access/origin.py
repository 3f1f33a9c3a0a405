"""Where a request comes from, as its browser says."""

from urllib.parse import urlsplit

from fastapi import Request

from api.problems import ProblemError


def check_origin(request: Request) -> None:
    """Refuse what another site's page sent: browsers say where it comes from, and pages cannot forge that.

    Raises
    ------
    ProblemError
        If it does not come from a page of this server.
    """
    site = request.headers.get("sec-fetch-site")
    origin = urlsplit(request.headers.get("origin", "")).netloc
    if site == "same-origin" or (site is None and origin == request.headers.get("host")):
        return
    raise ProblemError(
        403,
        "foreign-form",
        "Not from here",
        detail="This was not sent from a page of this server.",
        hint="Open the page here and send it again.",
    )
