"""What commands print: results on standard output; progress and notes on standard error."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

import typer

from authentiscan.core.progress import Progress, Stages
from authentiscan.core.text import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from authentiscan.report.tables import Table

LINE_SECONDS = 30.0
"""Between two lines about progress where there is no terminal for a bar."""
_QUIET, _VERBOSE = ContextVar("quiet", default=False), ContextVar("verbose", default=False)


@contextmanager
def loudness(*, quiet: bool, verbose: bool) -> Iterator[None]:
    """How much is said inside the block, as -q and -v ask."""
    from authentiscan.core.errors import UsageError

    if quiet and verbose:
        raise UsageError("-q and -v exclude each other; give one of them")
    before = _QUIET.set(quiet), _VERBOSE.set(verbose)
    try:
        yield
    finally:
        _QUIET.reset(before[0])
        _VERBOSE.reset(before[1])


def is_quiet() -> bool:
    """Whether -q was given: no progress, no notes."""
    return _QUIET.get()


def is_verbose() -> bool:
    """Whether -v was given: reasons and details too."""
    return _VERBOSE.get()


def note(text: str) -> None:
    """A line about what was done; silent with -q."""
    if not is_quiet():
        typer.echo(plain(text), err=True)


def detail(text: str) -> None:
    """A line that only -v shows."""
    if is_verbose():
        typer.echo(plain(text), err=True)


def warn(text: str) -> None:
    """A line that no reader should miss."""
    typer.secho(f"warning: {plain(text)}", fg=typer.colors.YELLOW, err=True)


def fail(text: str) -> None:
    """A line about something that went wrong while the rest goes on."""
    typer.secho(f"error: {plain(text)}", fg=typer.colors.RED, err=True)


def plain(text: str) -> str:
    """Text whose control characters are shown, not obeyed: names come from strangers."""
    return printable(text)


def console(*, stderr: bool = False) -> Console:
    """A rich console; wide where standard output is no terminal, so that files hold whole lines."""
    from rich.console import Console

    found = Console(stderr=stderr, highlight=False)
    return found if found.is_terminal else Console(stderr=stderr, highlight=False, width=200)


def print_table(
    title: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    words: Iterable[int] = (0,),
) -> None:
    """A table on standard output. words: columns of text, set to the left; the others are figures.

    The first column breaks anywhere, so that long names of files are never cut short.
    """
    from rich.box import SIMPLE
    from rich.table import Table
    from rich.text import Text

    left = set(words)
    table = Table(title=title or None, title_justify="left", box=SIMPLE, pad_edge=False)
    for i, name in enumerate(head):
        table.add_column(
            name,
            justify="left" if i in left else "right",
            overflow="fold" if i == 0 else "ellipsis",
        )
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    console().print(table)


def show(table: Table, title: str = "") -> None:
    """A report's table on standard output."""
    words = range(len(table.head)) if table.left else (0,)
    print_table(title, table.head, table.rows, words=tuple(words))
    if table.note:
        typer.echo(table.note)


@contextmanager
def progress(title: str) -> Iterator[Progress]:
    """A bar with one stage."""
    with bars() as start:
        yield start(title)


@contextmanager
def bars(before: str = "") -> Iterator[Stages]:
    """Bars on standard error, one a stage, each in the place of the one before.

    Where standard error is no terminal: a line now and then. Nothing with -q.
    """
    with _bar() as bar:
        shown: list[TaskID] = []
        noted = time.monotonic()

        def start(title: str) -> Progress:
            task: TaskID | None = None

            def update(done: int, total: int | None) -> None:
                nonlocal task, noted
                if task is None:
                    for earlier in shown:
                        bar.update(earlier, visible=False)
                    task = bar.add_task(before + title, total=total, note="")
                    shown.append(task)
                bar.update(task, completed=done, total=total)
                if not bar.console.is_terminal and time.monotonic() - noted >= LINE_SECONDS:
                    noted = time.monotonic()
                    note(f"{before}{title}: {done}{'' if total is None else f' of {total}'}")

            return update

        yield start


def _bar() -> Bar:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as Bar

    shown = console(stderr=True)
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=shown,
        transient=True,
        disable=is_quiet() or not shown.is_terminal,
    )


class Screen:
    """What long training work reports to: lines, and a bar where standard error is a terminal.

    Elsewhere a line now and then says how far the work is and how long it will take.
    """

    def __init__(self) -> None:
        self._progress = _bar()
        self.console = self._progress.console
        self._task: TaskID | None = None
        self._title, self._total, self._done = "", 0, 0
        self._began = self._noted = time.monotonic()
        self._first: int | None = None

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def info(self, text: str) -> None:
        """One line."""
        if not is_quiet():
            self.console.print(text, markup=False, soft_wrap=True)

    def start(self, title: str, total: int, done: int = 0) -> None:
        """A new bar in the place of the one before, or the next part of one as long."""
        if self._task is not None and total == self._total and done >= self._done:
            self._progress.update(self._task, description=title, completed=done)
        else:
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(title, total=total, completed=done, note="")
            self._first = None
        self._title, self._total, self._done = title, total, done

    def step(self, text: str = "") -> None:
        """One step further, with a note beside the bar."""
        self._done += 1
        if self._task is not None:
            self._progress.update(self._task, advance=1, note=text)
        now = time.monotonic()
        if self._first is None:  # it also loads what the others find loaded: no measure of them
            self._began, self._first = now, self._done
        if not self.console.is_terminal and now - self._noted >= LINE_SECONDS:
            self._noted = now
            line = f"{self._title}: step {self._done:,} of {self._total:,}"
            if steps := self._done - self._first:
                left = (now - self._began) / steps * (self._total - self._done)
                line += f", about {duration(max(0.0, left))} left"
            note(f"{line}; {text}" if text else line)


def duration(seconds: float) -> str:
    """``40 s``, ``3 min 20 s``, ``2 h 5 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
