"""One process trains in a run's folder at a time; what it died of can be read there.

A killed process leaves neither an error nor a held lock, so its run is known to be interrupted.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authentiscan.core.errors import OutputError
from authentiscan.core.files import write_text
from authentiscan.core.locks import held, is_held

LOCK_FILE = "lock"
ERROR_FILE = "error.txt"


@contextmanager
def attempt(folder: Path, *, leads: bool = True) -> Iterator[None]:
    """Hold ``folder`` while training in it; an error is written to its ``error.txt``.

    leads: False in the further processes of a distributed run, which do neither. Raises
    OutputError where another process holds it.
    """
    if not leads:
        yield
        return
    with held(folder / LOCK_FILE, folder):
        (folder / ERROR_FILE).unlink(missing_ok=True)
        try:
            yield
        except Exception as error:
            _note(folder, f"{type(error).__name__}: {error}\n")
            raise


def is_running(folder: Path) -> bool:
    """Whether a process of this machine is at work in ``folder``."""
    return is_held(folder / LOCK_FILE)


def _note(folder: Path, text: str) -> None:
    try:
        write_text(folder / ERROR_FILE, text)
    except OutputError:
        return  # the disk is full: the error itself goes to the caller
