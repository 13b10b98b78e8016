"""One command writes an output at a time.

A lock is a small file beside the output (in it, where the output is a folder that is filled) which
the writing process holds by the operating system's own lock. It goes with the process, however that
ends, so that a lock file without a living holder means nothing and is taken over.
"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from authentiscan.core.errors import OutputError, UsageError
from authentiscan.core.files import (
    PathLike,
    cannot_write,
    check_writable,
    leftover,
    real_path,
    refuse_below,
    refuse_foreign,
    refuse_inputs,
)

_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EINVAL}
_FAR = 1 << 30  # Windows locks a byte, which then nobody can read: one that no file has


@contextmanager
def claimed(
    *outputs: PathLike | None,
    folders: Iterable[PathLike | None] = (),
    inputs: Iterable[PathLike] = (),
    force: bool = False,
) -> Iterator[None]:
    """Have all outputs of a command for itself, before it begins to work.

    outputs: files, or folders that are replaced as a whole; None is skipped. folders: those that
    are filled file by file; they are made, and taken away again where they stay empty. inputs: none
    of them may be an output. force: a file there may be anybody's (see `refuse_foreign`).

    Raises UsageError where an output is an input, is given twice or is not ours, or a folder that
    is filled lies in one that is an input; OutputError where an output cannot be written or another
    command writes it.
    """
    places = [Path(p) for p in outputs if p is not None]
    filled = [Path(p) for p in folders if p is not None]
    _refuse_twice([*places, *filled])
    given = list(inputs)
    with ExitStack() as stack:
        for place in places:
            refuse_inputs(place, given)
            if not force:
                refuse_foreign(place)
            check_writable(place)
            real = real_path(place)
            if real.exists() and not real.is_file() and not real.is_dir():
                continue  # a device or a pipe can be shared
            stack.enter_context(held(real.parent / f".{real.name[:100]}.lock", place))
            _clear(leftover(real))
        for folder in filled:
            refuse_inputs(folder, given)
            refuse_below(folder, given)
            stack.enter_context(_made(folder))
            stack.enter_context(held(folder / ".lock", folder))
        yield


@contextmanager
def held(lock: Path, output: PathLike) -> Iterator[None]:
    """Hold the lock file ``lock`` for ``output``. Raises OutputError where another process does."""
    handle = _take(lock, output)
    try:
        with suppress(OSError):  # a full disk: who holds it is told where that can be written
            os.ftruncate(handle, 0)
            os.write(handle, f"{os.getpid()} {socket.gethostname()}\n".encode())
        yield
    finally:
        with suppress(OSError):
            lock.unlink()
        os.close(handle)


def is_held(lock: Path) -> bool:
    """Whether a living process holds ``lock``; False where the file may not be opened."""
    try:
        handle = os.open(lock, os.O_RDWR)
    except OSError:
        return False
    try:
        return not _locked(handle)
    finally:
        os.close(handle)


def _take(lock: Path, output: PathLike) -> int:
    for attempt in range(4):
        try:
            handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            raise cannot_write(output, error) from error
        if not _locked(handle):
            os.close(handle)
            if attempt == 3:
                break
            time.sleep(0.05)  # somebody may only have asked `is_held`, or be going
        elif _is_at(handle, lock):
            return handle
        else:
            os.close(handle)  # taken away by its last holder after it was opened here
    raise OutputError(
        f"another command writes {output}{_holder(lock)}; let it end, or name another output"
    )


def _locked(handle: int) -> bool:
    """Lock an open file without waiting; True too on file systems that know no locks."""
    try:
        if os.name == "nt":
            import msvcrt

            os.lseek(handle, _FAR, os.SEEK_SET)
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            os.lseek(handle, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in _NO_LOCKS
    return True


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _holder(lock: Path) -> str:
    try:
        process, _, host = lock.read_text(encoding="utf-8").strip().partition(" ")
    except (OSError, ValueError):
        return ""
    if not process.isdigit():
        return ""
    return (
        f" (process {process})"
        if host == socket.gethostname()
        else f" (process {process} on {host})"
    )


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    there = folder.is_dir()
    if folder.exists() and not there:
        raise UsageError(f"{folder} is a file; a folder is written here: name another place")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    check_writable(folder)
    try:
        yield
    finally:
        if not there:
            with suppress(OSError):
                folder.rmdir()


def _clear(partial: Path) -> None:
    """Take away what a killed writer left."""
    with suppress(OSError):
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)


def _refuse_twice(outputs: list[Path]) -> None:
    seen: set[Path] = set()
    for output in outputs:
        real = real_path(output)
        if real in seen:
            raise UsageError(f"{output} is given twice as an output; name two places")
        seen.add(real)
