"""The images that a command is given: files, folders, globs, lists and archives, as `scan` has."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

import typer

from authentiscan.cli import screen

if TYPE_CHECKING:
    from authentiscan.images.decode import Limits
    from authentiscan.scan import Item

Images = Annotated[
    list[str],
    typer.Argument(
        metavar="PATHS",
        help="Images, folders, 'globs', lists of paths (.txt), zip or tar archives; "
        "- reads paths from standard input, one a line.",
    ),
]


def images(paths: list[str], limits: Limits) -> Iterator[Item]:
    """The items of ``paths``, as they come; at the end a note tells what was left out.

    Raises UsageError where there is none.
    """
    from authentiscan.core.errors import UsageError
    from authentiscan.scan import LeftOut, find
    from authentiscan.scan.items import not_read, summary

    left, found = LeftOut(), False
    with closing(find(paths, limits=limits, left_out=left, notify=screen.note)) as items:
        for item in items:
            found = True
            yield item
    skipped = summary(left)
    if not found:
        raise UsageError(f"found no images in {', '.join(paths)}{'; ' if skipped else ''}{skipped}")
    if skipped:
        screen.note(skipped)
    if unread := not_read(left):
        screen.warn(unread)
