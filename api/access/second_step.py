"""The second step of a login: time-based codes (RFC 6238), and recovery codes for a lost phone."""

import base64
from dataclasses import dataclass
from secrets import token_bytes
from typing import Final
from uuid import UUID

import pyotp
import segno

from api.access.asking import same
from storage.access.accounts import AccountRow, use_recovery, use_step
from storage.access.secrets import digest
from storage.connect import Connection

_STEP_S: Final = 30
_AROUND: Final = (-1, 0, 1)
"""A phone's clock may be half a minute off."""
RECOVERY_CODES: Final = 8
_CODE_BYTES: Final = 10


@dataclass(frozen=True)
class NewSecondStep:
    """A secret that is offered, with the picture a phone reads."""

    secret: str
    svg: str


def offer(name: str, secret: str | None = None) -> NewSecondStep:
    """Return a second step to set up: a new secret, or the one that was offered before."""
    made = secret if secret is not None else pyotp.random_base32()
    address = pyotp.TOTP(made).provisioning_uri(name=name, issuer_name="Sojourn")
    picture = segno.make(address, error="m").svg_inline(
        scale=5, border=4, dark="#1d2021", light="#ffffff", svgclass="second-step-code", lineclass=None, omitsize=True
    )
    return NewSecondStep(made, picture)


def step_of(secret: str, code: str, *, now_s: float) -> int | None:
    """Return the step of time that a code is of; None if it is of none around now."""
    plain = "".join(code.split())
    if not (plain.isascii() and plain.isdigit()):
        return None
    totp, step = pyotp.TOTP(secret), int(now_s) // _STEP_S
    return next((step + by for by in _AROUND if same(totp.generate_otp(step + by), plain)), None)


def recovery_codes() -> list[str]:
    """Return new recovery codes, 80 bits each, as people read them."""
    return ["-".join(_quarters(token_bytes(_CODE_BYTES))) for _ in range(RECOVERY_CODES)]


def kept(code: str) -> bytes:
    """Return what a recovery code is kept by."""
    return digest("".join(code.replace("-", "").split()).upper())


def pass_second_step(connection: Connection, account: AccountRow, code: str, *, now_s: float) -> bool:
    """Use up a code or a recovery code; False if it is none, or was used before."""
    if account.totp_secret is None:
        return False
    step = step_of(account.totp_secret, code, now_s=now_s)
    if step is not None:
        return use_step(connection, account.account_id, step)
    return _recover(connection, account.account_id, code)


def _recover(connection: Connection, account: UUID, code: str) -> bool:
    return use_recovery(connection, account, kept(code))


def _quarters(secret: bytes) -> list[str]:
    text = base64.b32encode(secret).decode()
    return [text[at : at + 4] for at in range(0, len(text), 4)]
