"""Progress for people: a bar on a terminal, one line per step elsewhere."""

import contextlib
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from servers.apt import Progress


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Progress]:
    """Give a `Progress` that draws on a console; draws nothing as long as it is told nothing.

    Parameters
    ----------
    console : rich.console.Console
        Usually one that writes to stderr, so that a command's result stays alone on stdout.
    """
    if not console.is_terminal:
        yield _lines(console)
        return
    tasks: dict[str, TaskID] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with Bars(*columns, console=console, transient=True) as bars:

        def draw(what: str, done: float) -> None:
            if what not in tasks:
                for task in tasks.values():
                    bars.update(task, completed=1.0)
                tasks[what] = bars.add_task(what, total=1.0)
            bars.update(tasks[what], completed=done)

        yield draw


def _lines(console: Console) -> Progress:
    last = ""

    def write(what: str, _done: float) -> None:
        nonlocal last
        if what != last:
            last = what
            console.print(f"{what} …")

    return write
