"""Whether a table's labels agree with everything else that its rows say of real and generated.

Nothing tells whether 1 means real or generated but custom. So the labels are held against the
folders that the rows name, columns of words ("real", "fake"), columns such as `is_fake`, and
generators called `camera`. A contradiction stops: the user says what the values mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from authentiscan.core.errors import UsageError
from authentiscan.core.types import CAMERA, Row
from authentiscan.datasets.foldernames import plain_label

FLAGS: Mapping[str, int] = {
    "is_generated": 1,
    "is_fake": 1,
    "is_ai": 1,
    "is_synthetic": 1,
    "is_real": 0,
}
"""Columns whose 1 says what their name says."""
TRUTH = {"0": 0, "1": 1, "false": 0, "true": 1}

_WORDS = ("real", "generated")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Sign:
    """Something beside the label that says what a row is: where it stands, its text and meaning.

    meaning: 0 real, 1 generated.
    """

    source: str
    text: str
    meaning: int


_Key = tuple[Sign, str, int]
"""A sign, the label value that it stood beside, and what that value means."""


def check_labels(
    table: str,
    rows: Iterable[Row],
    roles: Mapping[str, str],
    meaning: Callable[[object], int],
    explained: Iterable[str],
) -> None:
    """Raise UsageError where ``rows`` of the file ``table`` say one thing and their labels another.

    roles: role -> column, as `tables.ROLES` has them. meaning: of a label's value. explained: label
    values that the user explained, which are believed.
    """
    believed = set(explained)
    counts: dict[_Key, int] = {}
    first: dict[_Key, str] = {}
    no_sign: set[str] = set()
    for row in rows:
        value = row.get(roles["label"])
        if value is None or str(value) in believed:
            continue
        label = meaning(value)
        name = str(row.get(roles.get("path", "")) or row.get(roles.get("name", "")) or "")
        for sign in _signs(row, name, roles, no_sign):
            key = (sign, str(value), label)
            counts[key] = counts.get(key, 0) + 1
            first.setdefault(key, name)
    no_sign |= _constant(counts)
    wrong = [
        (key, count, first[key])
        for key, count in counts.items()
        if key[0].source not in no_sign and key[0].meaning != key[2]
    ]
    if wrong:
        raise UsageError(_message(table, roles["label"], wrong))


def _constant(counts: Iterable[_Key]) -> set[str]:
    """Sources that say the same of all rows of both classes, as a folder above everything does."""
    texts: dict[str, set[str]] = {}
    classes: dict[str, set[int]] = {}
    for sign, _, label in counts:
        texts.setdefault(sign.source, set()).add(sign.text)
        classes.setdefault(sign.source, set()).add(label)
    return {s for s in texts if len(texts[s]) == 1 and len(classes[s]) == 2}


def _signs(row: Row, name: str, roles: Mapping[str, str], no_sign: set[str]) -> Iterator[Sign]:
    """What a row says beside its label; columns that hold any other text go to ``no_sign``."""
    for depth, folder in enumerate(name.replace("\\", "/").split("/")[:-1]):
        if (meaning := plain_label(folder)) is not None:
            yield Sign(f"folder {depth}", f'the folder is "{folder}"', meaning)
    generator = row.get(roles.get("generator", ""))
    if isinstance(generator, str) and (generator == CAMERA or plain_label(generator) == 0):
        yield Sign("generator", f'{roles["generator"]} is "{generator}"', 0)
    used = set(roles.values())
    for column, value in row.items():
        if column in used or column in no_sign or value in (None, ""):
            continue
        text = str(value).lower()
        if column.lower() in FLAGS and text in TRUTH:
            flag = FLAGS[column.lower()]
            yield Sign(column, f"{column} is {value}", flag if TRUTH[text] else 1 - flag)
        elif isinstance(value, str) and (meaning := plain_label(value)) is not None:
            yield Sign(column, f'{column} is "{value}"', meaning)
        else:
            no_sign.add(column)


def _message(table: str, column: str, wrong: list[tuple[_Key, int, str]]) -> str:
    parts = [
        f"{column} = {value} would mean {_WORDS[label]}, but {sign.text} on {count} such rows"
        + (f", as on {name}" if name else "")
        for (sign, value, label), count, name in wrong[:_SHOWN]
    ]
    values = sorted({(value, label) for (_, value, label), _, _ in wrong})
    turned = " ".join(f"--label {value}={_WORDS[1 - label]}" for value, label in values)
    stay = " ".join(f"--label {value}={_WORDS[label]}" for value, label in values)
    more = f"; and {len(wrong) - _SHOWN} more contradictions" if len(wrong) > _SHOWN else ""
    return (
        f"{table} contradicts itself: {'; '.join(parts)}{more}. "
        f"Say what the values mean: {turned}, or {stay} to go by the column alone"
    )
