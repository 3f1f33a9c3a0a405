"""The error tree of Sojourn.

SojournError
├── InputError              something from outside is wrong; says where and what to do
│   ├── WireError           a batch cannot be read
│   ├── FloorPlanError      a floor plan is not usable
│   ├── RecordingError      a recording cannot be read at all (single bad rows are rejects, not errors)
│   ├── SurveyError         a survey point is not usable; says which line
│   ├── ModelError          a calibration does not fit its floor plan or version
│   └── SnapshotError       an engine snapshot is torn, flipped or from another version
├── ForbiddenError          whoever asks may not have or do this
├── FencedError             a store belongs to another ingest by now
├── UnavailableError        a server, disk or network is away; says what to do instead
└── ConfigurationError      a setting is missing or contradicts another
"""


class SojournError(Exception):
    """Anything Sojourn itself reports.

    Parameters
    ----------
    what : str
        One sentence: what is wrong.
    hint : str
        One sentence: what to do about it; empty where `what` says it already.
    """

    def __init__(self, what: str, *, hint: str = "") -> None:
        super().__init__(f"{what} {hint}".strip())
        self.what = what
        self.hint = hint


class InputError(SojournError):
    """Input from outside is wrong.

    Parameters
    ----------
    what, hint : str
        As in `SojournError`.
    where : str
        File, line, field or topic that is meant; empty where there is only one.
    """

    def __init__(self, what: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(f"{where}: {what}" if where else what, hint=hint)
        self.what = what  # without where it is
        self.where = where


class WireError(InputError):
    """A batch cannot be read; `reason` is the word it is counted under."""

    def __init__(self, reason: str, what: str, *, hint: str = "", where: str = "") -> None:
        super().__init__(what, hint=hint, where=where)
        self.reason = reason


class FloorPlanError(InputError):
    """A floor plan is not usable."""


class RecordingError(InputError):
    """A recording cannot be read at all."""


class SurveyError(InputError):
    """A survey point is not usable."""


class ModelError(InputError):
    """A calibration does not fit its floor plan or version."""


class SnapshotError(InputError):
    """An engine snapshot is torn, flipped or from another version."""


class ForbiddenError(SojournError):
    """Whoever asks may not have or do this."""


class FencedError(SojournError):
    """A store belongs to another ingest by now; nothing was written for it."""


class UnavailableError(SojournError):
    """A server, disk or network is away."""


class ConfigurationError(SojournError):
    """A setting is missing or contradicts another."""
