"""Multipart bodies in pieces of any size."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from authentiscan.core.errors import (
    AuthentiscanError,
    BodyLimitError,
    SlowRequestError,
    UnsupportedFormatError,
    UsageError,
)
from authentiscan.serving.api.uploads import Part, parts

BODY = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a\xc3\xa9.png"\r\n'
    b"Content-Type: image/png\r\n\r\nfirst\r\n--x\r\n--b\r\n"
    b'content-disposition: form-data; name="webhook"\r\n\r\nhttps://x\r\n--b\r\n'
    b'Content-Disposition: form-data; name="file"\r\n\r\n\r\n--b--\r\n'
)


def _read(
    body: bytes,
    piece: int,
    *,
    kind: str = "multipart/form-data; boundary=b",
    most_bytes: int = 100,
    most_files: int = 10,
    gone: bool = False,
) -> list[Part]:
    pieces = [body[i : i + piece] for i in range(0, len(body), piece)] or [b""]
    messages = [{"type": "http.request", "body": p, "more_body": True} for p in pieces]
    if gone:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False

    async def receive() -> dict[str, object]:
        return messages.pop(0)

    async def read() -> list[Part]:
        scope = {"type": "http", "method": "POST", "headers": [(b"content-type", kind.encode())]}
        found = parts(Request(scope, receive), most_bytes=most_bytes, most_files=most_files)
        return [part async for part in found]

    return asyncio.run(read())


@pytest.mark.parametrize("piece", [1, 2, 7, 50, 10_000])
def test_parts_are_the_same_however_they_arrive(piece: int) -> None:
    assert _read(BODY, piece) == [
        Part("file", "aé.png", b"first\r\n--x"),
        Part("webhook", None, b"https://x"),
        Part("file", "", b""),
    ]


def test_a_part_is_cut_just_over_the_limit() -> None:
    assert _read(BODY, 3, most_bytes=4)[0].content == b"first"


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ({"body": BODY[:-10]}, UsageError, "ends before its last boundary"),
        ({"body": b"nonsense"}, UsageError, "broken"),
        ({"kind": "multipart/form-data"}, UsageError, "no boundary"),
        ({"kind": "multipart/form-data; boundary=" + "b" * 999}, UsageError, "not possible"),
        ({"kind": "image/png"}, UnsupportedFormatError, "the body is image/png"),
        ({"kind": ""}, UnsupportedFormatError, "no stated type"),
        ({"most_files": 1}, BodyLimitError, "more than 1 images"),
        ({"body": BODY[:90], "gone": True}, SlowRequestError, "went away"),
        (
            {"body": BODY.replace(b"https://x", b"x" * 5000), "most_bytes": 9000},
            UsageError,
            "'webhook' has more than",
        ),
    ],
)
def test_what_is_wrong_is_told(
    change: dict[str, object], error: type[AuthentiscanError], told: str
) -> None:
    given = {"body": BODY, "piece": 20, **change}
    with pytest.raises(error, match=told):
        _read(**given)  # type: ignore[arg-type]
