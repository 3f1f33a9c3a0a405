"""The servers Sojourn can bring along in a private folder: TimescaleDB and mosquitto; and a Chromium for tests.

Nothing is installed on the machine. Debian's packages are fetched by a private apt (`apt`, from an archive that
`archives` and `debian` find), unpacked (`unpack`) under `$SOJOURN_HOME` (`home`), and kept (`provide`, `chromium`).
`Postgres` and `Mosquitto` run them as an ordinary user or as root (`identity`), under a guard that ends them with
whoever started them (`process`, `guard`). `bootstrap` makes the project's environment in the same way.

Environment: `SOJOURN_HOME` (default: `sojourn` in the user's cache), `SOJOURN_DEBIAN_MIRROR` (an archive to fetch
from, if the machine names none), `SOJOURN_CHROMIUM` (the browser to use).
"""
