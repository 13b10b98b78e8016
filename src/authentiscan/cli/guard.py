"""How every command ends, whatever the world does to it: one line, an exit code, no traceback.

0 fine, 1 some inputs failed, 2 it cannot work as given or its output cannot be written, 130 ended
by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP. The environment variable AUTHENTISCAN_DEBUG shows the
traceback behind an error.
"""

from __future__ import annotations

import io
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from itertools import chain
from pathlib import Path
from types import FrameType
from typing import Any, TypeGuard

import typer
from typer.core import TyperGroup

from authentiscan.core.errors import AuthentiscanError, OutputError
from authentiscan.core.files import PathLike, cannot_write, real_path, reason, refuse_foreign
from authentiscan.core.locks import claimed
from authentiscan.core.text import printable

DEBUG = "AUTHENTISCAN_DEBUG"
_WISHED_COLOURS = ("FORCE_COLOR", "PY_COLORS", "GITHUB_ACTIONS")  # as rich and typer read them
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CLAIMS: ContextVar[ExitStack] = ContextVar("claims")
_TYPED: ContextVar[tuple[str, ...]] = ContextVar("typed", default=())
_FORCED: ContextVar[bool] = ContextVar("forced", default=False)
_BAR = re.compile(r"\x1b\[(?:[0-9;]*[ABCDGHJKm]|\?25[hl])|\r")


class Commands(TyperGroup):
    """The root of the command line: interruptions become exit codes, errors can be shown."""

    def main(self, *args: Any, **extra: Any) -> Any:
        """Run the command line; what was typed wrong is one line, as every other error."""
        alone = extra.get("standalone_mode", True)
        extra["standalone_mode"] = False  # what was typed wrong is an exception then
        if not alone:
            return super().main(*args, **extra)
        try:
            code = super().main(*args, **extra)
        except typer.Abort:
            _print("stopped")
            sys.exit(1)
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            from authentiscan.cli.typed import told  # loads pydantic

            if type(error).__name__ != "NoArgsIsHelpError":  # the help has been printed
                _print(f"error: {told(error)}", colour=typer.colors.RED)
            sys.exit(getattr(error, "exit_code", 2))
        sys.exit(code if isinstance(code, int) else 0)

    def make_context(self, *args: Any, **options: Any) -> Any:
        """Read the arguments; what was typed is repeated without control characters."""
        with _shown():
            return super().make_context(*args, **options)

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        with ExitStack() as stack:
            before = _CLAIMS.set(stack)
            try:
                with _shown():
                    return super().invoke(ctx)
            except KeyboardInterrupt as interrupt:
                _print(str(interrupt) or "interrupted")
                raise typer.Exit(130) from interrupt
            finally:
                _CLAIMS.reset(before)


def claim(
    *outputs: PathLike | None,
    folders: Iterable[PathLike | None] = (),
    inputs: Iterable[PathLike] = (),
) -> None:
    """Have the outputs for the running command until it ends; see `core.locks.claimed`.

    Every command that writes says so with this before it begins to work. Whatever else was typed
    is an input too, and so are a detector's files.
    """
    whole = _CLAIMS.get(None)
    written = list(folders)
    given = chain(inputs, _typed_inputs([Path(p) for p in (*outputs, *written) if p is not None]))
    claims = claimed(*outputs, folders=written, inputs=given, force=_FORCED.get())
    with claims if whole is None else nullcontext():  # a group of commands run by itself
        if whole is not None:
            whole.enter_context(claims)


@contextmanager
def typed(values: Iterable[object]) -> Iterator[None]:
    """The running command's arguments and options, whose files no output may replace."""
    before = _TYPED.set(tuple(_texts(values)))
    try:
        yield
    finally:
        _TYPED.reset(before)


def _texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, list | tuple):
            yield from _texts(value)
        elif isinstance(value, str | Path):
            name, equals, path = str(value).partition("=")
            yield path if equals else name


def _typed_inputs(outputs: list[Path]) -> Iterator[Path]:
    """Files that were typed otherwise than as outputs; looked for where an output exists."""
    there = [place for place in outputs if os.path.isfile(place)]  # noqa: PTH113 - odd names
    if not there:
        return
    left = Counter(map(Path, _TYPED.get()))
    left.subtract(outputs)
    for path in (path for path, times in left.items() if times > 0):
        if os.path.isfile(path):  # noqa: PTH113
            yield path
            if path.suffix == ".parquet" and any(map(_is_image, there)):
                yield from _images_of(path)
            continue
        for folder in (path, path / "bundle", "runs" / path, "runs" / path / "bundle"):
            if os.path.isfile(folder / "detector.json"):  # noqa: PTH113
                yield from folder.rglob("*")
        below = (place for place in there if real_path(path) in real_path(place).parents)
        yield from filter(_is_image, below)


def _is_image(place: Path) -> bool:
    """Whether a file is an image by its first bytes, whatever its name ends in."""
    from authentiscan.images.walk import looks_like_image

    with place.open("rb") as file:
        return looks_like_image(file.read(512))


def _images_of(table: Path) -> Iterator[Path]:
    """The files that a manifest names; none of what is no manifest, which others tell."""
    from authentiscan.datasets.open import open_data

    with suppress(AuthentiscanError):
        yield from open_data(table).files()


@contextmanager
def forced(wished: bool) -> Iterator[None]:
    """Whether the running command may replace files that this program did not make."""
    before = _FORCED.set(wished)
    try:
        yield
    finally:
        _FORCED.reset(before)


def forced_now() -> bool:
    """Whether the running command may replace them."""
    return _FORCED.get()


def may_replace(output: PathLike) -> None:
    """Raise UsageError where ``output``, a file in a folder that is filled, is not ours."""
    if not forced_now():
        refuse_foreign(output)


def run(app: Callable[[], object]) -> int:
    """Run the command line; its exit code."""
    with _signals() as received, _streams():
        try:
            code = _run(app)
        except KeyboardInterrupt as interrupt:  # before a command was found among the words
            _print(str(interrupt) or "interrupted")
            code = 130
        except Exception:
            if not received:
                raise
            # A library that was being loaded took the signal for a failure of its own.
            _print(f"ended by {signal.Signals(received[0]).name}")
            code = 1
    return 128 + received[0] if received else code


def _run(app: Callable[[], object]) -> int:
    code = 0
    try:
        try:
            app()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0
        sys.stdout.flush()
        return code
    except (AuthentiscanError, OSError, MemoryError) as error:
        if os.environ.get(DEBUG):
            raise
        _print(f"error: {_message(error)}", colour=typer.colors.RED)
        return error.exit_code if isinstance(error, AuthentiscanError) else 2


def _message(error: AuthentiscanError | OSError | MemoryError) -> str:
    if isinstance(error, MemoryError):
        return "not enough memory; fewer --workers need less"
    if isinstance(error, AuthentiscanError):
        return str(error)
    given = (error.filename, error.filename2)
    names = [os.fsdecode(n) if isinstance(n, bytes) else str(n) for n in given if n is not None]
    return printable(f"{' -> '.join(names)}: {reason(error)}" if names else reason(error))


def _print(text: str, colour: str | None = None) -> None:
    typer.secho(text, fg=colour, err=True)


@contextmanager
def _shown() -> Iterator[None]:
    try:
        yield
    except (typer.Exit, typer.Abort, AuthentiscanError):
        raise
    except Exception as error:
        message = getattr(error, "message", None)  # of typer's own errors: what was typed
        if isinstance(message, str):
            error.message = printable(message)  # type: ignore[attr-defined]
        raise


# Signals


@contextmanager
def _signals() -> Iterator[list[int]]:
    """SIGTERM and SIGHUP end a command as Ctrl-C does; the list gets the signal that came.

    One that the parent ignores (nohup) stays ignored. After the first, they are ignored while what
    was made is brought home.
    """
    received: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGINT:
            for other in taken:
                if other != signal.SIGINT:
                    signal.signal(other, signal.SIG_IGN)
        received[:] = [number]
        name = signal.Signals(number).name
        raise KeyboardInterrupt("interrupted" if number == signal.SIGINT else f"ended by {name}")

    here = threading.current_thread() is threading.main_thread()
    known = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {n: signal.getsignal(n) for n in known if n is not None and here}
    taken = [n for n in before if before[n] not in {signal.SIG_IGN, None}]
    for number in taken:
        signal.signal(number, end)
    try:
        yield received
    finally:
        for number in taken:
            signal.signal(number, before[number])


# Standard streams


class _Stream(io.TextIOWrapper):
    """UTF-8 whatever the locale says; control characters that did not come from us are escaped.

    Colours are left out where the terminal knows none (TERM=dumb) or NO_COLOR is set.
    """

    def __init__(self, stream: io.TextIOWrapper, allowed: re.Pattern[str]) -> None:
        super().__init__(
            stream.buffer,
            encoding="utf-8",
            errors="backslashreplace",
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )
        wished = any(name in os.environ for name in _WISHED_COLOURS)
        self._allowed = allowed if self.isatty() or wished else None
        dumb = os.environ.get("TERM") == "dumb" or bool(os.environ.get("NO_COLOR"))
        self._plain = dumb and not wished

    def write(self, text: str) -> int:
        with self._explained():
            super().write(self._clean(text))
        return len(text)

    def flush(self) -> None:
        with self._explained():
            super().flush()

    def _clean(self, text: str) -> str:
        if self._allowed is None:
            return printable(text)
        ours = self._allowed.findall(text)
        if self._plain:
            ours = ["" if code.endswith("m") else code for code in ours]
        return "".join(
            printable(part) + code
            for part, code in zip(self._allowed.split(text), [*ours, ""], strict=True)
        )

    @contextmanager
    def _explained(self) -> Iterator[None]:
        yield


class _Output(_Stream):
    """Standard output; one that cannot be written is an error like any other output."""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise cannot_write("standard output", error) from error


class _Errors(_Stream):
    """Standard error; no work ends because a message about it cannot be shown."""

    @contextmanager
    def _explained(self) -> Iterator[None]:
        with suppress(OSError):
            yield


class _Closed(io.TextIOBase):
    """In place of a standard output that was closed before we began."""

    def writable(self) -> bool:
        return True

    def write(self, _text: str) -> int:
        raise OutputError("cannot write standard output: it is closed; name a file with -o")


@contextmanager
def _streams() -> Iterator[None]:
    """Our standard output and error while a command runs."""
    _occupy()
    before = sys.stdout, sys.stderr
    output = _Output(before[0], _COLOUR) if _is_file(before[0]) else before[0]
    errors = _Errors(before[1], _BAR) if _is_file(before[1]) else before[1]
    sys.stdout = output or _Closed()
    sys.stderr = errors or io.StringIO()
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for stream in (output, errors):
            if isinstance(stream, _Stream):
                _finish(stream)


def _finish(stream: _Stream) -> None:
    below = stream.buffer
    try:
        stream.flush()
        below.flush()
    except (OSError, OutputError):
        with suppress(OSError):  # nothing of the system lies below
            _drop(below.fileno())
    stream.detach()  # forgotten, it would close what lies below


def _is_file(stream: object) -> TypeGuard[io.TextIOWrapper]:
    return isinstance(stream, io.TextIOWrapper)


def _drop(handle: int) -> None:
    """Let what could not be written to ``handle`` go nowhere: Python tries again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, handle)
    os.close(nowhere)


def _occupy() -> None:
    """Fill closed places among 0, 1 and 2, so that no file that we open is taken for a stream."""
    while (handle := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(handle)
