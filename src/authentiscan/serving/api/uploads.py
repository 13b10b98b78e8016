"""Multipart bodies, part by part as they arrive: in memory, never on disk."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect, Request

from authentiscan.core.errors import (
    BodyLimitError,
    SlowRequestError,
    UnsupportedFormatError,
    UsageError,
)
from authentiscan.core.text import printable

IMAGES = "file"
"""The field whose parts are images, whether or not they have a file's name."""

_MOST_NAME = 1024
_MOST_FIELD = 4096
_NEEDED = "send multipart/form-data with a part 'file' for every image"


@dataclass(frozen=True, slots=True)
class Part:
    """One part. name: the file's, None for a plain field. content: cut just over the limit."""

    field: str
    name: str | None
    content: bytes


@dataclass
class _Parts:
    """Collects what the parser calls."""

    most_bytes: int
    done: list[Part] = field(default_factory=list)
    ended: bool = False
    _header: bytearray = field(default_factory=bytearray)
    _value: bytearray = field(default_factory=bytearray)
    _disposition: bytes = b""
    _content: bytearray = field(default_factory=bytearray)

    def begin(self) -> None:
        self._disposition, self._content = b"", bytearray()

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        self._header, self._value = bytearray(), bytearray()

    def data(self, data: bytes, start: int, end: int) -> None:
        room = self.most_bytes + 1 - len(self._content)
        self._content += data[start : min(end, start + max(0, room))]

    def end(self) -> None:
        _, options = parse_options_header(self._disposition)
        name = _text(options.get(b"name", b""))
        file = options.get(b"filename")
        if file is None and name != IMAGES and len(self._content) > _MOST_FIELD:
            raise UsageError(f"the field {name[:50]!r} has more than {_MOST_FIELD} bytes")
        shown = None if file is None and name != IMAGES else _text(file or b"")[:_MOST_NAME]
        self.done.append(Part(name, shown, bytes(self._content)))
        self._content = bytearray()

    def finish(self) -> None:
        self.ended = True


async def parts(request: Request, *, most_bytes: int, most_files: int) -> AsyncIterator[Part]:
    """The parts of a multipart body, each as soon as it is whole.

    most_bytes: of one part; of a longer one a byte more is kept, so that the decoder says so.
    most_files: parts that are files.

    Raises UnsupportedFormatError for another kind of body, UsageError for a broken one,
    BodyLimitError for too many files, and what reading the body raises.
    """
    collected = _Parts(most_bytes)
    parser = _parser(request, collected)
    files = 0
    try:
        async for chunk in request.stream():
            parser.write(chunk)
            ready, collected.done = collected.done, []
            for part in ready:
                files += part.name is not None
                if files > most_files:
                    raise BodyLimitError(
                        f"more than {most_files} images in a request; send several, or a job"
                    )
                yield part
        parser.finalize()
    except FormParserError as error:
        raise UsageError(f"the multipart body is broken ({error}); {_NEEDED}") from error
    except ClientDisconnect as error:
        raise SlowRequestError("the client went away before its request was whole") from error
    if not collected.ended:
        raise UsageError(f"the multipart body ends before its last boundary; {_NEEDED}")


def _parser(request: Request, collected: _Parts) -> MultipartParser:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    if kind != b"multipart/form-data":
        shown = printable(_text(kind))[:100] or "of no stated type"
        raise UnsupportedFormatError(f"the body is {shown}; {_NEEDED}")
    boundary = options.get(b"boundary")
    if not boundary:
        raise UsageError(f"the Content-Type states no boundary; {_NEEDED}")
    try:
        return MultipartParser(
            boundary,
            {
                "on_part_begin": collected.begin,
                "on_header_field": collected.header_field,
                "on_header_value": collected.header_value,
                "on_header_end": collected.header_end,
                "on_part_data": collected.data,
                "on_part_end": collected.end,
                "on_end": collected.finish,
            },
        )
    except FormParserError as error:
        raise UsageError(f"the multipart boundary is not possible ({error})") from error


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
