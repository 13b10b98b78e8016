"""Folders that appear complete or not at all."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from authentiscan.core.errors import UsageError
from authentiscan.inference.bundle import SPEC_FILE


@contextlib.contextmanager
def replaced_bundle(folder: Path) -> Iterator[Path]:
    """A hidden folder beside ``folder`` that takes its place when the block ends without error.

    An older bundle there is replaced; any other folder with content is refused with UsageError.
    """
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; a bundle is a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / SPEC_FILE).is_file():
        raise UsageError(f"{folder} holds other files and is no bundle; choose a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        yield partial
        partial.chmod(0o755)
        if folder.is_dir():
            retired = Path(tempfile.mkdtemp(prefix=f".{folder.name}.old.", dir=folder.parent))
            folder.replace(retired / folder.name)
            partial.replace(folder)
            shutil.rmtree(retired)
        else:
            partial.replace(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
