"""The folder of a run: a new one, or the one to go on in."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from authentiscan.core.errors import TrainingError
from authentiscan.core.files import cannot_write


def new_folder(outputs: Path | str, name: str) -> Path:
    """A folder in ``outputs`` of the name and the time, that is not there yet."""
    stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    folder = Path(outputs) / f"{name}-{stamp}"
    while folder.exists():
        folder = folder.with_name(folder.name + "a")
    return folder


def made_folder(folder: Path, *, resume: bool) -> Path:
    """``folder``, made. Raises TrainingError where it is not empty and no run is resumed in it."""
    if not resume and folder.is_dir() and any(folder.iterdir()):
        raise TrainingError(
            f"{folder} is not empty; choose a new folder, or go on with the run in it by --resume"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return folder
