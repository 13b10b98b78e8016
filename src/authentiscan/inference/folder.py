"""Bundles that appear complete or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from authentiscan.core.files import whole_folder
from authentiscan.inference.spec import SPEC_FILE


@contextmanager
def replaced_bundle(folder: Path) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that takes its place when the block ends without error.

    An older bundle there is replaced; any other folder with content is refused with UsageError.
    """
    with whole_folder(folder, replaces=lambda old: (old / SPEC_FILE).is_file()) as partial:
        yield partial
