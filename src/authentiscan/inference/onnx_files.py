"""Which other files an ONNX graph names, read without the onnx package.

A graph may keep its weights in files beside it ("external data"). ONNX Runtime opens them without
asking, so a bundle must state their checksums too. Only the few message fields that lead to tensors
are followed (onnx.proto); all else is skipped by its length.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from authentiscan.core.errors import BundleError

_MOST_NESTED = 32  # graphs inside nodes inside graphs
_TENSOR, _ENTRY = "tensor", "entry"

# message -> field number -> message it holds
_LEADS: Final[Mapping[str, Mapping[int, str]]] = {
    "model": {7: "graph", 25: "function"},
    "graph": {1: "node", 5: _TENSOR, 15: "sparse"},
    "function": {7: "node", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: _TENSOR, 6: "graph", 10: _TENSOR, 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: _TENSOR, 2: _TENSOR},
    _TENSOR: {13: _ENTRY},
}
_LENGTHS: Final[Mapping[int, int]] = {1: 8, 5: 4}  # wire types of fixed size
_LOCATION = b"location"


def external_files(path: Path) -> frozenset[str]:
    """Names of the files that the ONNX graph at ``path`` keeps tensors in, as it spells them.

    Raises BundleError where the file is no ONNX graph.
    """
    try:
        with path.open("rb") as file:
            # Closed with its last view; an error's traceback may hold one.
            data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return frozenset(_locations(memoryview(data), "model", 0))
    except (IndexError, ValueError) as error:
        raise BundleError(f"{path} is no ONNX graph: {error}") from error


def _locations(message: memoryview, kind: str, depth: int) -> Iterator[str]:
    if depth > _MOST_NESTED:
        raise ValueError(f"graphs are nested more than {_MOST_NESTED} deep")
    for number, content in _fields(message):
        inside = _LEADS[kind].get(number)
        if inside == _ENTRY:
            entry = {n: bytes(value) for n, value in _fields(content)}
            if entry.get(1) == _LOCATION:
                yield entry.get(2, b"").decode("utf-8", "surrogateescape")
        elif inside is not None:
            yield from _locations(content, inside, depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview]]:
    """(number, content) of every length-delimited field; the others are skipped."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire = key & 7
        if wire == 0:
            _, at = _varint(message, at)
        elif wire in _LENGTHS:
            at += _LENGTHS[wire]
        elif wire == 2:
            length, at = _varint(message, at)
            if length > len(message) - at:
                raise ValueError("a part of it ends early")
            yield key >> 3, message[at : at + length]
            at += length
        else:
            raise ValueError(f"unknown kind of field {wire}")
    if at > len(message):
        raise ValueError("a part of it ends early")


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("a number is too long")
