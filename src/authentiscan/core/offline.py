"""Nothing is sent and nothing is kept: what libraries do unasked is switched off before they load.

`apply` runs when ``authentiscan`` is imported, which every command, thread and worker process does
first. Some libraries read these variables once, while they load; a program that loads ONNX Runtime
before this package must set ``ORT_DISABLE_TELEMETRY=1`` itself (`late` names it).
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from importlib.abc import MetaPathFinder
from pathlib import Path

SWITCHES = {
    # Since 1.31: an id and an event store in the user's cache folder, and look-ups of its host.
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
"""Environment variables that are set, whatever stood there before."""

_LATE = ("onnxruntime", "ray")
_loaded_before: list[str] = []


def apply() -> None:
    """Set `SWITCHES` and move matplotlib's font list to the temporary folder."""
    _loaded_before.extend(name for name in _LATE if name in sys.modules)
    os.environ.update(SWITCHES)
    sys.meta_path.insert(0, _FontList())


def late() -> tuple[str, ...]:
    """Libraries that had loaded before this package and may not have seen `SWITCHES`."""
    return tuple(_loaded_before)


class _FontList(MetaPathFinder):
    """Names matplotlib a folder just before it loads, so that it writes none into the home folder.

    Other libraries load matplotlib too (lightning, captum), so no single import is the place.
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        if fullname == "matplotlib" and "MPLCONFIGDIR" not in os.environ:
            os.environ["MPLCONFIGDIR"] = str(_private_folder("authentiscan-matplotlib"))


def _private_folder(name: str) -> Path:
    """A folder below the temporary one that only this user can write to, kept between runs."""
    temporary = Path(tempfile.gettempdir())
    if sys.platform == "win32":  # there the temporary folder is the user's own
        return temporary / name
    user = os.getuid()
    folder = temporary / f"{name}-{user}"
    with suppress(OSError):  # a file of that name, say: then a new folder is taken
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == user and not found.st_mode & 0o022:
            return folder
    return Path(tempfile.mkdtemp(prefix=f"{name}-"))
