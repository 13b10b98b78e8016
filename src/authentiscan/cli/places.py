"""Where a command that makes one file an image puts it: a file for one, a folder for several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

from authentiscan.cli.guard import claim

if TYPE_CHECKING:
    from authentiscan.scan import Item


@dataclass
class Places:
    """The files of one command: ``output`` itself, or in it where it is a folder; none twice.

    ending: of the names in a folder, such as ``_explained.png``.
    """

    output: Path
    ending: str
    several: bool
    written: set[Path] = field(default_factory=set)

    @property
    def is_folder(self) -> bool:
        """Whether ``output`` is one."""
        return self.several or self.output.is_dir() or not self.output.suffix

    def claim(self, inputs: Sequence[str]) -> None:
        """Have the output for this command; see `cli.guard.claim`."""
        if self.is_folder:
            claim(folders=[self.output])
        else:
            claim(self.output, inputs=inputs)

    def taken(self, item: Item) -> bool:
        """Whether ``item`` is a file that this command wrote into a folder that is being walked."""
        return item.path in self.written

    def of(self, item: Item) -> Path:
        """Where the file of ``item`` goes."""
        place = self.output / f"{stem(item)}{self.ending}" if self.is_folder else self.output
        first, number = place, 2
        while place in self.written:  # images of two folders may share a name
            place, number = first.with_stem(f"{first.stem}_{number}"), number + 1
        self.written.add(place)
        return place


def stem(item: Item) -> str:
    """The name of an image without folders and ending, short enough to get another ending."""
    from authentiscan.core.files import short

    return short(PurePath(item.path or item.name.rpartition("::")[2].replace("\\", "/")).stem)
