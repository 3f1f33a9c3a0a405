"""Run pg_dump and pg_restore without showing a password to whoever lists processes."""

import os
import shutil
import subprocess
from pathlib import Path

from psycopg.conninfo import make_conninfo

from core.errors import ConfigurationError, UnavailableError
from storage.connect import read_url


def find_program(name: str, folder: Path | None) -> str:
    """Return where a client program of PostgreSQL is: in `folder`, or on the PATH.

    Raises
    ------
    ConfigurationError
        If it is not there.
    """
    found = shutil.which(name, path=None if folder is None else str(folder))
    if found is None:
        raise ConfigurationError(
            f"{name} is not there.",
            hint="Install Debian's postgresql-client-17 or newer, or name its folder with --programs.",
        )
    return found


def run(program: str, database_url: str, *arguments: str) -> str:
    """Run a program on a database and return what it said on stderr.

    Raises
    ------
    UnavailableError
        If it fails.
    """
    given = read_url(database_url)
    password = given.pop("password", None)
    environment = os.environ if password is None else {**os.environ, "PGPASSWORD": str(password)}
    done = subprocess.run(  # noqa: S603 - a program that the operator named
        [program, "--dbname", make_conninfo("", **given), *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    if done.returncode != 0:
        said = " ".join(done.stderr.split())[-500:]
        raise UnavailableError(
            f"{Path(program).name} fails: {said}", hint="Nothing was finished; mend it and repeat."
        )
    return done.stderr
