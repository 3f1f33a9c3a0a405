"""What is measured of processes that come and go."""

import subprocess
import sys

from benchmarks.measuring import CpuWatch

_BURNS = "import sys, time\nwhile time.process_time() < 0.15: pass\nprint('burnt', flush=True)\nsys.stdin.read()"


def test_a_process_that_ends_takes_no_cpu_time_away_again() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _BURNS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as burning:
        pids = [burning.pid]
        watch = CpuWatch(lambda: pids)
        first = watch.total_s()
        assert burning.stdout is not None
        assert burning.stdout.readline() == "burnt\n"
        second = watch.total_s()
        burning.communicate("")
    third = watch.total_s()  # it is still named, and is gone
    pids.clear()
    assert second - first >= 0.1
    assert second <= third <= watch.total_s()
