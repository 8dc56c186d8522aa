"""Progress of a run for whoever looks: a bar in a terminal, one in a notebook, else nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape

Say = Callable[[str, int, int], None]
"""What is being done, how many steps are done, of how many."""


@contextmanager
def showing(name: str, *, quiet: bool) -> Iterator[Say]:
    """Give what is called as steps begin and end."""
    notebook = _in_notebook()
    if quiet or not (notebook or sys.stderr.isatty()):
        yield _silent
        return
    if notebook:
        from IPython.display import HTML, display

        handle = display(HTML(""), display_id=True)
        yield lambda what, done, total: handle.update(HTML(_bar(name, what, done, total)))
        handle.update(HTML(""))
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(name, total=None)
        yield lambda what, done, total: progress.update(
            task, description=f"{name}: {what}", completed=done, total=total
        )


def _in_notebook() -> bool:
    """Whether this process is a notebook's kernel; others may have loaded the same libraries."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _silent(what: str, done: int, total: int) -> None:
    """Nobody looks."""
    del what, done, total


def _bar(name: str, what: str, done: int, total: int) -> str:
    return (
        f'<progress value="{done}" max="{total}"></progress> '
        f"{escape(name)}: {escape(what)} ({done} of {total} steps)"
    )
