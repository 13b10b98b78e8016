"""Text of strangers made safe to show: file names, metadata, messages about them."""

from __future__ import annotations

import re

# Control characters but tab and line break, marks that turn the direction of writing, separators
# of lines that only some programs know, and halves of pairs, which no encoding can write.
_DANGEROUS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
_BYTES = re.compile("[\udc80-\udcff]")  # as Python keeps them
_ESCAPES = re.compile(r"\\x([89a-f][0-9a-f]|5c)")
_LOOKALIKES = re.compile(r"\\(?=x(?:[89a-f][0-9a-f]|5c))")
_CLASS = re.compile(r"\b[A-Z]\w*(?:Error|Exception)\b:? ?")


def printable(text: str) -> str:
    r"""``text`` without characters that could drive a terminal or that cannot be encoded.

    They become escapes that JSON reads too: ``\u001b``, ``\u202e``; a byte of a name that is no
    UTF-8 becomes ``\xe9``. Line breaks and tabs stay.
    """
    return _DANGEROUS.sub(_escape, text)


def one_line(text: str) -> str:
    r"""As `printable`, with line breaks and tabs escaped too: a name in a table or a list."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def escaped_bytes(text: str) -> str:
    r"""A file's name as text that any table holds: a byte that is no UTF-8 becomes ``\xe9``.

    Where these very characters stand in a name, their backslash becomes ``\x5c``.
    """
    return _BYTES.sub(_escape, _LOOKALIKES.sub(r"\\x5c", text))


def with_bytes(text: str) -> str:
    """A name as the system knows it, from what `escaped_bytes` made of it."""
    return _ESCAPES.sub(lambda found: "\\" if found[1] == "5c" else _byte(found[1]), text)


def _byte(digits: str) -> str:
    return chr(0xDC00 + int(digits, 16))


def library_words(error: BaseException) -> str:
    """The first line of a library's message, without names of classes in it."""
    return _CLASS.sub("", (str(error).splitlines() or [""])[0])


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte of a file name that is no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}"
