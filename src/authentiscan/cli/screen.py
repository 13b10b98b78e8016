"""Progress of long work on the terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any


class Screen:
    """A progress bar on stderr where that is a terminal, lines otherwise."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: Any = None

    def __enter__(self) -> Screen:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """One line."""
        self.console.print(text, markup=False)

    def start(self, title: str, total: int, done: int = 0) -> None:
        """A new bar in the place of the one before."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        self._task = self._progress.add_task(title, total=total, completed=done, note="")

    def step(self, text: str = "") -> None:
        """One step further, with a note beside the bar."""
        if self._task is not None:
            self._progress.update(self._task, advance=1, note=text)
