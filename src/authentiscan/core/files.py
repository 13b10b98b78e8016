"""Whole files and whole folders, or nothing; and never over an input.

Everything is written to a hidden sibling, ``.NAME.partial``, which takes the place of NAME in one
step when it is whole. Whatever ends the writer, NAME is the old content or the new one. A sibling
that a killed process left is taken away by the next command that writes NAME (`core.locks`).
"""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TypeAlias

from authentiscan.core.errors import OutputError, UsageError

PathLike: TypeAlias = Path | str

MARK = b"authentiscan"
_BEGINNINGS = (  # of outputs that have no place for the mark
    b'{"schema_version":1,"path":', b'{\n  "schema_version": 1,\n  "manifest":',
    b"path,verdict,score,", b"row,name,label,split,reason", b"path,container,c2pa,", b'{"path": ',
)  # fmt: skip
EDGES = 2**12, 2**18
"""Bytes at a file's beginning and end that tell whose it is."""
_NOT_FLUSHED = {errno.EINVAL, errno.EBADF, errno.ENOTSUP}  # file systems without this
_NAME_BYTES = 200  # of a sibling's name, which may have 255 with its ending
_ADVICE = {
    errno.ENOSPC: "make room or name another place",
    errno.EDQUOT: "make room or name another place",
    errno.EFBIG: "raise the limit (ulimit -f) or name another place",
    errno.EACCES: "name a place that you may write to",
    errno.EPERM: "name a place that you may write to",
    errno.EROFS: "name a place that you may write to",
    errno.ENOENT: "a folder on the way is missing",
    errno.ENOTDIR: "a part of the path is a file",
    errno.EISDIR: "a folder has this name",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EPIPE: "its reader has gone",
}


@contextmanager
def whole_path(
    target: PathLike, *, inputs: Iterable[PathLike] = (), durable: bool = True
) -> Iterator[Path]:
    """The path of a new empty file that takes the place of ``target`` when the block ends well.

    For writers that open files themselves. A link is followed: what it points at is replaced.
    Folders on the way are made. Devices and pipes are written to directly. durable: flushed to the
    disk first, so that a power cut too leaves the old content or the new one.

    Raises UsageError where ``target`` is one of ``inputs``, OutputError where it cannot be written.
    """
    named = Path(target)
    refuse_inputs(named, inputs)
    with _explained(named):
        place = real_path(named)
        if place.exists() and not place.is_file() and not place.is_dir():
            yield place  # /dev/stdout, a named pipe: nothing there can be replaced
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        mode = _mode_of(place)
        partial = _new_sibling(place, _create)
        try:
            yield partial
            if mode is not None:
                partial.chmod(mode)
            if durable:
                _flush(partial)
            partial.replace(place)
        except BaseException:
            with suppress(OSError):
                partial.unlink()
            raise
        if durable:
            _flush_names(place.parent)


@contextmanager
def whole_file(
    target: PathLike, *, inputs: Iterable[PathLike] = (), durable: bool = True
) -> Iterator[IO[bytes]]:
    """As `whole_path`, opened for writing bytes."""
    with (
        whole_path(target, inputs=inputs, durable=durable) as partial,
        partial.open("wb") as stream,
    ):
        yield stream


@contextmanager
def whole_text(
    target: PathLike, *, inputs: Iterable[PathLike] = (), durable: bool = True
) -> Iterator[IO[str]]:
    """As `whole_path`, opened for writing UTF-8; line breaks stay as they are given.

    What UTF-8 cannot say (bytes of a name that are no UTF-8) is written as an escape.
    """
    with (
        whole_path(target, inputs=inputs, durable=durable) as partial,
        partial.open("w", encoding="utf-8", errors="backslashreplace", newline="") as stream,
    ):
        yield stream


def write_bytes(
    target: PathLike,
    content: bytes | memoryview,
    *,
    inputs: Iterable[PathLike] = (),
    durable: bool = True,
) -> None:
    """Make ``content`` the whole of ``target``; see `whole_path`."""
    with whole_file(target, inputs=inputs, durable=durable) as stream:
        stream.write(content)


def write_text(
    target: PathLike, content: str, *, inputs: Iterable[PathLike] = (), durable: bool = True
) -> None:
    """Make ``content``, in UTF-8, the whole of ``target``; see `whole_text`."""
    with whole_text(target, inputs=inputs, durable=durable) as stream:
        stream.write(content)


@contextmanager
def whole_folder(
    target: PathLike,
    *,
    replaces: Callable[[Path], bool] | None = None,
    inputs: Iterable[PathLike] = (),
) -> Iterator[Path]:
    """A new empty folder that takes the place of ``target`` when the block ends well.

    replaces: whether the folder with content that is there already may go; an empty one always may.
    Raises UsageError where it may not, where a file is there, or where ``target`` is one of
    ``inputs``; OutputError where it cannot be written.
    """
    named = Path(target)
    refuse_inputs(named, inputs)
    with _explained(named):
        place = real_path(named)
        if place.exists() and not place.is_dir():
            raise UsageError(f"{named} is a file; a folder is written here: name another place")
        if place.is_dir() and any(place.iterdir()) and not (replaces and replaces(place)):
            raise UsageError(f"{named} holds other files; choose a new or an empty folder")
        place.parent.mkdir(parents=True, exist_ok=True)
        partial = _new_sibling(place, Path.mkdir)
        try:
            yield partial
            for path in partial.rglob("*"):
                _flush_names(path) if path.is_dir() else _flush(path)
            _exchange(partial, place)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
        _flush_names(place.parent)


def refuse_inputs(output: PathLike, inputs: Iterable[PathLike]) -> None:
    """Raise UsageError where ``output`` is one of ``inputs``, by whatever name.

    Links are resolved and hard links are known by device and number, so that a file is one file.
    ``inputs`` are only looked at where the output exists already: a new file is nobody's input.
    """
    identity = _identity(output)
    if identity is None:
        return
    for path in inputs:
        if _identity(path) == identity:
            same = "" if str(path) == str(output) else f" (it is {path})"
            raise UsageError(
                f"{output} is also an input{same}; nothing was written: name another output"
            )


def refuse_below(folder: PathLike, inputs: Iterable[PathLike]) -> None:
    """Raise UsageError where ``folder``, which is filled, lies in a folder that is an input.

    Pictures of a report would be taken for images of the data set the next time.
    """
    place = real_path(folder)
    for path in inputs:
        given = real_path(path)
        if given in place.parents and given.is_dir():
            raise UsageError(
                f"{folder} lies in the input {path}, and what is written there would be read as "
                "input the next time; name a folder outside"
            )


def refuse_foreign(output: PathLike) -> None:
    """Raise UsageError where ``output`` is a file with content that this program did not make.

    Ours are known by their first or last bytes, where every writer leaves the program's name or
    one of a few beginnings. What is no regular file is left to those who write.
    """
    place = real_path(output)
    try:
        if not place.is_file() or not (size := place.stat().st_size):
            return
        with place.open("rb") as file:
            head = file.read(EDGES[0])
            file.seek(max(0, size - EDGES[1]))
            tail = file.read(EDGES[1])
    except OSError:  # writing it will say why
        return
    refuse_others(output, head, tail)


def refuse_others(output: PathLike, head: bytes, tail: bytes) -> None:
    """As `refuse_foreign`, of a file anywhere that begins with ``head`` and ends with ``tail``."""
    begun = any(head[: len(start)] == start[: len(head)] for start in _BEGINNINGS)
    if not (begun or MARK in head or MARK in tail):
        raise UsageError(
            f"{output} exists and was not made by authentiscan; name another output file, or add "
            "--force to replace it"
        )


def file_sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check_writable(output: PathLike) -> None:
    """Tell before the work, not after it, where ``output`` cannot be written: OutputError.

    Folders on the way to it are made.
    """
    named = Path(output)
    with _explained(named):
        place = real_path(named)
        if place.is_dir() or (place.exists() and not place.is_file()):
            if not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return
        place.parent.mkdir(parents=True, exist_ok=True)
        _mode_of(place)
        _new_sibling(place, _create).unlink()


def check_file(path: PathLike) -> None:
    """As `check_writable`, for an output that is a file: a folder there is an OutputError too."""
    if Path(path).is_dir():
        raise cannot_write(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    check_writable(path)


def expanded(path: PathLike) -> Path:
    """``path`` with the home folder for a ``~`` in front; unchanged where nobody is called so."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - `Path.expanduser` raises


def is_there(path: PathLike) -> bool:
    """Whether something has this name; False for names that nothing can have."""
    return os.path.exists(path)  # noqa: PTH110 - `Path.exists` raises on names too long


def leftover(output: PathLike) -> Path:
    """The sibling that a killed writer of ``output`` leaves."""
    place = real_path(output)
    return place.parent / f".{short(place.name)}.partial"


def cannot_write(target: PathLike, error: OSError) -> OutputError:
    """The error to raise where ``target`` could not be written."""
    return OutputError(f"cannot write {target}: {reason(error)}")


def reason(error: OSError) -> str:
    """What the system said, in words, and what to do about it."""
    number = error.errno
    cause = os.strerror(number) if number else str(error)
    return f"{cause}; {_ADVICE[number]}" if number in _ADVICE else cause


@contextmanager
def _explained(target: Path) -> Iterator[None]:
    """An error of the place becomes an OutputError; one about another file stays what it is."""
    place = str(target)
    try:
        place = str(real_path(target))
        yield
    except OSError as error:
        if error.filename is None or _within(os.fsdecode(error.filename), target, place):
            raise cannot_write(target, error) from error
        raise


def _within(name: str, target: Path, place: str) -> bool:
    hidden = str(Path(place).parent / f".{short(Path(place).name)}.")
    above = {str(parent) for parent in (*target.parents, *Path(place).parents)}
    return name in {str(target), place} | above or name.startswith((hidden, place + os.sep))


def real_path(path: PathLike) -> Path:
    """Absolute, links followed; unlike `Path.resolve` it takes links that lead in a circle."""
    return Path(os.path.realpath(path))


def _identity(path: PathLike) -> tuple[int, int] | None:
    try:
        found = Path(path).stat()
    except (OSError, ValueError):  # absent, or no name that a file can have
        return None
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return None
    return found.st_dev, found.st_ino


def _mode_of(place: Path) -> int | None:
    """Permissions of the file that will be replaced; one that may not be written is respected."""
    if place.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if not place.exists():
        return None
    if not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return stat.S_IMODE(place.stat().st_mode)


def _new_sibling(place: Path, make: Callable[[Path], None]) -> Path:
    """A sibling that nobody else uses: the plain name, or one by chance where that is taken."""
    partial = leftover(place)
    try:
        make(partial)
    except FileExistsError:
        partial = partial.parent / f".{short(place.name)}.{secrets.token_hex(4)}.partial"
        make(partial)
    return partial


def _create(path: Path) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))


def short(name: str) -> str:
    """``name`` cut so that an ending still fits behind it."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= _NAME_BYTES else os.fsdecode(encoded[:_NAME_BYTES])


def _exchange(partial: Path, place: Path) -> None:
    """Put ``partial`` in the place of a folder, which goes only after that."""
    if not place.exists():
        partial.replace(place)
        return
    retired = place.parent / f".{short(place.name)}.{secrets.token_hex(4)}.old"
    place.replace(retired)
    try:
        partial.replace(place)
    except BaseException:
        if not place.exists():
            retired.replace(place)
        raise
    shutil.rmtree(retired, ignore_errors=True)


def _flush(path: Path) -> None:
    """Everything of a file, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NOT_FLUSHED:
            raise
    finally:
        os.close(handle)


def _flush_names(folder: Path) -> None:
    with suppress(OSError):  # Windows opens no folders, a folder may be write-only
        _flush(folder)
