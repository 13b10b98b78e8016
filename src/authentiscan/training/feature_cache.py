"""Features of crops on disk, found again by what the crop looks like.

A crop's key is the hash of its pixels as the backbone sees them, so that nothing else can make an
old feature wrong: other augmentation, other rows or another seed give other pixels. Parts are whole
safetensors files of a few hundred crops, so that an interrupted run loses few of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from authentiscan.core.files import whole_path

ROWS = 256
"""Crops in a part."""
_KEY = 16


class FeatureCache:
    """Averaged maps (C,) float16 by key, below ``folder``. Several runs may share it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._places: dict[bytes, tuple[Any, int]] = {}
        self._waiting: dict[bytes, NDArray[np.float16]] = {}
        for path in sorted(folder.glob("*.safetensors")):
            self._open(path)

    def __len__(self) -> int:
        return len(self._places) + len(self._waiting)

    def get(self, key: bytes) -> NDArray[np.float16] | None:
        """The features of a crop; None where they were never computed."""
        if key in self._waiting:
            return self._waiting[key]
        if key not in self._places:
            return None
        part, row = self._places[key]
        values: NDArray[np.float16] = part.get_slice("features")[row : row + 1][0]
        return values

    def put(self, keys: Sequence[bytes], values: NDArray[np.float16]) -> None:
        """Keep features (N, C); written once enough have come."""
        self._waiting |= dict(zip(keys, values, strict=True))
        if len(self._waiting) >= ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what waits as one part."""
        if not self._waiting:
            return
        from safetensors.numpy import save_file

        keys = b"".join(self._waiting)
        name = hashlib.sha256(keys).hexdigest()[:_KEY]
        path = self.folder / f"{name}.safetensors"
        self.folder.mkdir(parents=True, exist_ok=True)
        parts: dict[str, NDArray[np.generic]] = {
            "features": np.stack(list(self._waiting.values())),
            "keys": np.frombuffer(keys, dtype=np.uint8).reshape(-1, _KEY),
        }
        with whole_path(path) as partial:
            save_file(parts, partial)
        self._waiting = {}
        self._open(path)

    def _open(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            part: Any = safe_open(path, framework="numpy")
            keys = part.get_tensor("keys")
        except (OSError, SafetensorError):  # of another kind, or damaged: it is computed again
            return
        for row, key in enumerate(keys):
            self._places[key.tobytes()] = (part, row)


def crop_keys(pixels: Tensor) -> list[bytes]:
    """A key for each crop (N, 3, S, S)."""
    arrays = pixels.cpu().numpy()
    return [hashlib.blake2b(one.tobytes(), digest_size=_KEY).digest() for one in arrays]


def backbone_identity(backbone: nn.Module) -> str:
    """Hash of everything that decides a backbone's features: its kind, its numbers, their names."""
    found = hashlib.sha256(repr(backbone).encode())
    for name, values in backbone.state_dict().items():
        found.update(name.encode())
        found.update(np.ascontiguousarray(values.cpu().numpy()).tobytes())
    return found.hexdigest()[:_KEY]
