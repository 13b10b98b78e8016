"""Text of strangers made safe to show: file names, metadata, messages about them."""

from __future__ import annotations

_KEPT = "\n\t"


def printable(text: str) -> str:
    r"""``text`` without characters that could drive a terminal or cannot be encoded.

    Control characters, invisible marks that turn the direction of writing, and bytes of a name
    that are no UTF-8 become escapes: ``\u001b``, ``\u202e``, ``\xe9``. Line breaks and tabs stay.
    """
    if text.isprintable():
        return text
    return "".join(c if c in _KEPT or c.isprintable() or c == "\xa0" else _escape(c) for c in text)


def one_line(text: str) -> str:
    r"""As `printable`, with line breaks and tabs escaped too: a name in a table or a list."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that Python could not decode in a file name
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
