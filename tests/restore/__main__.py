"""`make restore-drill`: see `tests.restore.running`."""

import sys

from sojourn import keep_kernels

if __name__ == "__main__":
    keep_kernels()  # before anything imports numba
    from tests.restore.running import main

    sys.exit(main())
