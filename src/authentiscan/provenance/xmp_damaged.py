"""Reading on in an XMP packet that is no XML: a tolerant tokenizer, in one pass over the text.

A stray byte or a bare ``&`` in a caption must not hide what stands after it. Tags are found by
their form alone, unknown entities stay as they are, document types are skipped and never expanded.
Each tag ends before the next ``<``, so hostile packets cost no more than their length.
"""

from __future__ import annotations

import html
import re
from typing import Protocol

_TAG = re.compile(
    r"<(?P<end>/?)(?P<name>[A-Za-z_][\w.-]*+(?::[\w.-]++)?)"
    r"(?P<rest>(?:[^\"'<>]++|\"[^\"<]*+\"|'[^'<]*+')*+)>"
)
_ATTRIBUTE = re.compile(
    r"(?<![\w.:-])([A-Za-z_][\w.-]*+(?::[\w.-]++)?)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)')"
)
_NAMESPACE = re.compile(r"xmlns:([\w.-]{1,64})\s*+=\s*+[\"']([^\"'<]{1,300})[\"']")
_MOST_NAMESPACES = 256


class Events(Protocol):
    """What is told of the packet, with names as expat gives them: ``namespace local``."""

    def start(self, name: str, attributes: dict[str, str]) -> None: ...  # noqa: D102
    def end(self, name: str) -> None: ...  # noqa: D102
    def data(self, text: str) -> None: ...  # noqa: D102


def decode(packet: bytes) -> str:
    """The packet's text: UTF-16 or UTF-32 where its first bytes show it, else UTF-8."""
    for mark, codec in (
        (b"\xff\xfe\0\0", "utf-32-le"),
        (b"\0\0\xfe\xff", "utf-32-be"),
        (b"\xff\xfe", "utf-16-le"),
        (b"\xfe\xff", "utf-16-be"),
        (b"<\0", "utf-16-le"),
        (b"\0<", "utf-16-be"),
    ):
        if packet.startswith(mark):
            return packet.decode(codec, errors="replace")
    return packet.decode("utf-8", errors="replace")


def walk(text: str, known: dict[str, str], into: Events) -> None:
    """Tell ``into`` of every tag and text, in order; tags that do not pair are paired by name.

    known: namespaces of prefixes that the packet uses without declaring them.
    """
    spaces = known | dict(_NAMESPACE.findall(text)[:_MOST_NAMESPACES])
    stack: list[str] = []
    at = 0
    for tag in _TAG.finditer(text):
        if tag.start() > at:
            _between(text[at : tag.start()], spaces, into)
        at = tag.end()
        name = _full(tag["name"], spaces)
        if not tag["end"]:
            into.start(name, _attributes(tag["rest"], spaces))
            stack.append(name)
            if tag["rest"].rstrip().endswith("/"):
                into.end(stack.pop())
        elif name in stack:
            while stack.pop() != name:
                into.end(name)
            into.end(name)
    _between(text[at:], spaces, into)
    while stack:  # cut short
        into.end(stack.pop())


def _between(text: str, spaces: dict[str, str], into: Events) -> None:
    """Text, up to a tag that is no tag for a stray mark in it; its fields are told all the same."""
    plain, mark, broken = text.partition("<")
    into.data(_plain(plain))
    found = _attributes(broken, spaces) if mark else {}
    if found:
        into.start(" broken", found)
        into.end(" broken")


def _attributes(rest: str, spaces: dict[str, str]) -> dict[str, str]:
    return {
        _full(name, spaces): _plain(double or single)
        for name, double, single in _ATTRIBUTE.findall(rest)
        if not name.startswith("xmlns")
    }


def _plain(text: str) -> str:
    """Character references replaced, entities that the packet defines left as they are."""
    try:
        return html.unescape(text)
    except ValueError:  # a reference of thousands of digits
        return text


def _full(name: str, spaces: dict[str, str]) -> str:
    prefix, colon, local = name.partition(":")
    return f"{spaces.get(prefix, prefix)} {local}" if colon else name
