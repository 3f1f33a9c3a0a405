"""Pages of the consent and identity desk: what customers agreed to, which devices are theirs, and who is who."""

from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from api.access.navigation import may_open
from api.forms import OWN_FORM, Form, FormDep
from api.identity.models import DecisionIn, LinkChangeIn
from api.identity.routes import case_unknown, change_one_link, decide_one_case
from api.operators import OPERATOR_KNOWN, OperatorDep
from api.problems import ProblemError, conflict
from api.rendering import render
from api.service import ConnectionDep, ProfileDep, ServiceDep
from storage.connect import Connection
from storage.identity.consents import ConsentWord, full_ledger, withdraw_everywhere
from storage.identity.desk import blocked_devices, cases_page, lift_block, profile_links, undo_case
from storage.inputs.imports import imports_page
from storage.profiles.profiles import PURPOSE, find_profile

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
_SEE_OTHER: Final = 303
SAID: Final = {"store": "In the store", "telephone": "By telephone", "letter": "By letter or e-mail"}
"""Sources of a word that a customer says to a person."""
_LINKS: Final = "/v1/profiles/{profile}/links"
_CHANGES: Final = ("end", "undo", "redo", "block_kiosk", "block_staff", "block_shared")


@router.get("/identity")
def show_desk(connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show cases that wait for a person, blocked devices and the newest imports."""
    cases = cases_page(connection)
    return render(
        "identity.html",
        here="identity",
        waiting=[case for case in cases if case.status == "open"],
        decided=[case for case in cases if case.status != "open"],
        blocked=blocked_devices(connection),
        imports=imports_page(connection)[:10],
        now=service.now(),
    )


@router.post("/identity/cases/{case_no}")
def decide(case_no: int, form: FormDep, service: ServiceDep, operator: OperatorDep) -> Response:
    """Decide a case as its form says: one person, with the profile that stands for both, or different people."""
    keep = form.get("keep")
    given = DecisionIn(keep=_uuid(keep) if keep != "different" else None, by=operator)
    service.writer.write(lambda connection: decide_one_case(connection, case_no, given))
    return RedirectResponse("/identity", _SEE_OTHER)


@router.post("/identity/cases/{case_no}/undo", dependencies=[OWN_FORM])
def undo(case_no: int, service: ServiceDep) -> Response:
    """Take a decision back."""
    if not service.writer.write(lambda connection: undo_case(connection, case_no)):
        raise case_unknown(case_no)
    return RedirectResponse("/identity", _SEE_OTHER)


@router.post("/identity/blocked-devices/{block_no}/lift", dependencies=[OWN_FORM])
def lift(block_no: int, service: ServiceDep) -> Response:
    """Lift a block; one that is lifted already stays so."""
    service.writer.write(lambda connection: lift_block(connection, block_no))
    return RedirectResponse("/identity", _SEE_OTHER)


@router.get("/profiles/{profile}/consent")
def show_consent(found: ProfileDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Show a customer's ledger of consents, what can be withdrawn, and the links of devices."""
    ledger = full_ledger(connection, found.profile_id)
    return render(
        "consent.html",
        here="profiles",
        profile=found,
        ledger=ledger,
        held=sorted({row.purpose for row in ledger if row.holds}, key=lambda purpose: (purpose != PURPOSE, purpose)),
        journeys=PURPOSE,
        said=SAID,
        links=profile_links(connection, found.profile_id) if may_open(_LINKS) else None,
        now=service.now(),
    )


@router.post("/profiles/{profile}/withdrawals", dependencies=[OPERATOR_KNOWN])
def withdraw(found: ProfileDep, form: FormDep, connection: ConnectionDep, service: ServiceDep) -> Response:
    """Withdraw a consent as the customer said; where it is that to journeys, the profile is gone with the answer."""
    source, purpose = form.get("source"), form.get("purpose")
    wordings = {row.purpose: row.wording for row in full_ledger(connection, found.profile_id) if row.holds}
    fits = {"source": source in SAID, "purpose": purpose in wordings, "sure": form.get("sure") != ""}
    unusable = [field for field, usable in fits.items() if not usable]
    if unusable:
        raise _unusable(unusable[0])
    word = ConsentWord(
        purpose=purpose, status="withdrawn", source=source, wording=wordings[purpose], occurred_at=service.now()
    )

    def work(lent: Connection) -> bool:
        withdraw_everywhere(lent, found.profile_id, word)
        return find_profile(lent, found.profile_id) is None

    gone = service.writer.write(work)
    if purpose == PURPOSE and not gone:
        raise conflict("A grant that is dated later than now stands.", hint="Withdraw again in a few minutes.")
    then = "/profiles?withdrawn=true" if gone else f"/profiles/{found.profile_id}/consent"
    return RedirectResponse(then, _SEE_OTHER)


@router.post("/profiles/{profile}/links/{link_no}")
def change_link(profile: UUID, link_no: int, form: FormDep, service: ServiceDep) -> Response:
    """Change a link as its form says."""
    given = LinkChangeIn.model_validate({"change": _change(form), "because": form.text("because", most=200)})

    def work(connection: Connection) -> Any:
        change_one_link(connection, profile, link_no, given)

    service.writer.write(work)
    return RedirectResponse(f"/profiles/{profile}/consent", _SEE_OTHER)


def _change(form: Form) -> str:
    change = form.get("change")
    if change not in _CHANGES:
        raise _unusable("change")
    return change


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise _unusable("keep") from error


def _unusable(field: str) -> ProblemError:
    return ProblemError(
        422,
        "value",
        "A value cannot be used",
        detail=f"The field “{field}” does not hold one of its choices.",
        hint="Go back and choose again.",
    )
