"""One process trains in a run's folder at a time; what it died of can be read there.

A killed process leaves neither an error nor a held lock, so its run is known to be interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from authentiscan.core.errors import TrainingError
from authentiscan.training.leavings import write_text

LOCK_FILE = "lock"
ERROR_FILE = "error.txt"


@contextmanager
def attempt(folder: Path, *, leads: bool = True) -> Iterator[None]:
    """Hold ``folder`` while training in it; an error is written to its ``error.txt``.

    leads: False in the further processes of a distributed run, which do neither. Raises
    TrainingError where another process holds it.
    """
    if not leads:
        yield
        return
    lock = FileLock(folder / LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise TrainingError(f"another process is at work in {folder}; let it end first") from error
    with lock:
        (folder / ERROR_FILE).unlink(missing_ok=True)
        try:
            yield
        except Exception as error:
            _note(folder, f"{type(error).__name__}: {error}\n")
            raise


def is_running(folder: Path) -> bool:
    """Whether a process of this machine is at work in ``folder``."""
    path = folder / LOCK_FILE
    if not path.is_file() or not os.access(path, os.W_OK):
        return False
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _note(folder: Path, text: str) -> None:
    try:
        write_text(folder / ERROR_FILE, text)
    except TrainingError:
        return  # the disk is full: the error itself goes to the caller
