"""One command's part of the file of results; other parts stay as they are."""

import re
from pathlib import Path


def replace_part(file: Path, name: str, text: str, *, command: str = "") -> None:
    """Put `text` in the place of the part of this name, at the end if there is none yet.

    `command` writes it, where that has another name than the part.
    """
    begin = f"<!-- {name}: written by `python -m benchmarks {command or name} --results` -->"
    end = f"<!-- end of {name} -->"
    section = f"{begin}\n{text.rstrip()}\n\n{end}\n"
    old = file.read_text() if file.exists() else "# Benchmark results\n"
    part = re.compile(re.escape(begin) + r".*?" + re.escape(end) + "\n", re.DOTALL)
    file.write_text(part.sub(lambda _: section, old) if part.search(old) else old.rstrip("\n") + "\n\n" + section)
