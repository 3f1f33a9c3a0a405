from structlog.testing import capture_logs

from telemetry.absence import Absence


def test_an_absence_is_two_lines_however_often_it_is_tried() -> None:
    absence = Absence("it is away", "it is back")
    with capture_logs() as lines:
        absence.is_over()
        for _ in range(2):
            for _ in range(100):
                absence.lasts(error="refused")
            for _ in range(100):
                absence.is_over()
    away = {"event": "it is away", "error": "refused", "log_level": "warning"}
    assert lines == [away, {"event": "it is back", "log_level": "info"}] * 2
