"""What a run tells while it works, and to whom."""

from __future__ import annotations

import logging
from typing import Protocol

from authentiscan.core.progress import Progress


class Reporter(Protocol):
    """Where progress is shown; called on the first process only."""

    def info(self, text: str) -> None:
        """One line for the user."""
        ...

    def start(self, title: str, total: int, done: int = 0) -> None:
        """A stretch of ``total`` steps begins, ``done`` of them already behind."""
        ...

    def step(self, text: str = "") -> None:
        """One step is done."""
        ...


def stretch(reporter: Reporter, title: str) -> Progress:
    """A stretch of ``reporter`` for work that calls back: first with 0 done, then after each."""

    def shown(done: int, total: int | None) -> None:
        reporter.step() if done else reporter.start(title, total or 0)

    return shown


class Quiet:
    """A reporter that shows nothing."""

    def info(self, text: str) -> None:
        """Say nothing."""

    def start(self, title: str, total: int, done: int = 0) -> None:
        """Show nothing."""

    def step(self, text: str = "") -> None:
        """Show nothing."""


class notices:  # noqa: N801 - reads as a statement
    """Warnings of the package (no ImageNet weights, ...) reach the reporter while this holds."""

    def __init__(self, reporter: Reporter) -> None:
        self._handler = _ToReporter(reporter)
        self._logger = logging.getLogger("authentiscan")

    def __enter__(self) -> None:
        self._logger.addHandler(self._handler)

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)


class _ToReporter(logging.Handler):
    def __init__(self, reporter: Reporter) -> None:
        super().__init__(logging.WARNING)
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        self._reporter.info(f"note: {record.getMessage()}")
