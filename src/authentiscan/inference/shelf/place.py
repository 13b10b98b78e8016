"""Where fetched detectors lie: a folder of the user's, the same for all projects."""

from __future__ import annotations

import os
from pathlib import Path

from authentiscan.core.files import expanded

VARIABLE = "AUTHENTISCAN_SHELF"
"""Environment variable that names another folder."""

BUNDLE = "bundle"


def shelf_folder() -> Path | None:
    """The shelf's folder, there or not; None where neither `VARIABLE` nor platformdirs tells it."""
    chosen = os.environ.get(VARIABLE)
    if chosen:
        return expanded(chosen)
    try:
        from platformdirs import user_cache_path
    except ModuleNotFoundError:
        return None
    return user_cache_path("authentiscan", appauthor=False) / "shelf"


def fetched(name: str) -> Path | None:
    """The bundle's folder of the detector ``name`` on the shelf; None where it was not fetched."""
    folder = shelf_folder()
    if folder is None or not name or Path(name).name != name or name.startswith("."):
        return None
    bundle = folder / name / BUNDLE
    return bundle if (bundle / "detector.json").is_file() else None


def fetched_names() -> list[str]:
    """All detectors that were fetched."""
    folder = shelf_folder()
    if folder is None:
        return []
    try:
        found = sorted(path.name for path in folder.iterdir())
    except OSError:
        return []
    return [name for name in found if fetched(name) is not None]
