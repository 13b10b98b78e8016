"""Outputs in object stores: made on this machine, sent when they are whole, never over an input."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from authentiscan.core import buckets
from authentiscan.core.errors import OutputError, UnreadableFileError, UsageError


@contextmanager
def as_files(outputs: Sequence[str], inputs: Sequence[str]) -> Iterator[list[Path]]:
    """The outputs as files of this machine; what stands for an address is sent there at the end.

    Where sending fails, the files are kept and the error says where. Raises as `claimed` does.
    """
    far = [output for output in outputs if buckets.is_bucket(output)]
    with ExitStack() as stack:
        for address in far:
            stack.enter_context(claimed(address, inputs))
        place = Path(tempfile.mkdtemp(prefix="authentiscan-"))
        near = {
            output: place / f"{number}-{Path(output).name}" for number, output in enumerate(far)
        }
        try:
            yield [near.get(output, Path(output)) for output in outputs]
        finally:  # an interrupted scan leaves its rows, there as here
            _send(near)
            shutil.rmtree(place, ignore_errors=True)


@contextmanager
def claimed(address: str, inputs: Sequence[str], *, folder: bool = False) -> Iterator[None]:
    """Have an address for the running command; other machines are not kept away.

    folder: parts are written below it, each of which tells what it is. Raises UsageError where it
    is an input or holds a file that is not ours, OutputError where the store cannot be asked or
    another command of this machine writes there.
    """
    from authentiscan.cli.guard import forced_now
    from authentiscan.core.locks import held

    place = _plain(address)
    for given in inputs:
        if buckets.is_bucket(given) and _plain(given) == place:
            raise UsageError(
                f"{address} is also an input; nothing was written: name another output"
            )
    if not folder and not forced_now():
        _refuse_foreign(address)
    user = getattr(os, "getuid", int)()
    name = hashlib.sha256(place.encode("utf-8", "backslashreplace")).hexdigest()[:24]
    with held(Path(tempfile.gettempdir(), f"authentiscan-{user}-{name}.lock"), address):
        yield


def _refuse_foreign(address: str) -> None:
    from authentiscan.core.files import EDGES, refuse_others

    try:
        if not buckets.is_file(address):
            return
        with buckets.opened(address) as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(0)
            head = stream.read(EDGES[0])
            stream.seek(max(0, size - EDGES[1]))
            tail = stream.read(EDGES[1])
    except UnreadableFileError as error:
        raise OutputError(f"cannot write there: {error}") from error
    if size:
        refuse_others(address, head, tail)


def _send(near: dict[str, Path]) -> None:
    waiting = {address: path for address, path in near.items() if path.exists()}
    for address, path in list(waiting.items()):
        try:
            buckets.write(address, path.read_bytes())
        except OutputError as error:
            kept = Path(tempfile.mkdtemp(prefix="authentiscan-kept-"))
            for one in waiting.values():
                shutil.move(one, kept)
            raise OutputError(f"{error}; what was made is kept in {kept}") from error
        del waiting[address]


def _plain(address: str) -> str:
    """One spelling of an address: stores do not care about some differences."""
    scheme, _, path = address.partition("://")
    scheme = scheme.lower().replace("gcs", "gs")
    return f"{scheme}://{re.sub('/+', '/', path).strip('/')}"
