"""Small real data for evaluation tests: photographs in several formats, a manifest, a scorer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from authentiscan.images.decode import encode
from authentiscan.manifest.table import Manifest
from authentiscan.metrics.calibration import Calibration, apply


class MeanScorer:
    """A detector that calls bright images generated; counts how many it has seen."""

    name = "brightness"

    def __init__(self, identity: str | None = "brightness-1") -> None:
        self.identity = identity
        self.seen = 0

    def logits(self, images: Sequence[np.ndarray]) -> np.ndarray:
        self.seen += len(images)
        return np.asarray([(float(image.mean()) - 100.0) / 20.0 for image in images])

    def scores(self, logits: np.ndarray) -> np.ndarray:
        return apply(Calibration(), logits)


@pytest.fixture
def scorer() -> MeanScorer:
    return MeanScorer()


def crops_of(photos: dict[str, np.ndarray], count: int, side: int = 96) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    found = []
    for i in range(count):
        photo = photos[sorted(photos)[i % len(photos)]]
        y, x = (int(rng.integers(0, s - side)) for s in photo.shape[:2])
        found.append(np.ascontiguousarray(photo[y : y + side, x : x + side]))
    return found


@pytest.fixture(scope="session")
def image_manifest(photos: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory):
    """48 crops: real ones JPEG of two qualities, "generated" ones brighter PNG or WebP."""
    import pyarrow as pa

    rows: dict[str, list[object]] = {k: [] for k in (
        "image", "label", "generator", "dataset", "group", "name", "style", "split"
    )}  # fmt: skip
    for i, crop in enumerate(crops_of(photos, 48)):
        generated = i % 2
        if generated:
            brighter = np.clip(crop.astype(int) + 30, 0, 255).astype(np.uint8)
            kind = "PNG" if i % 4 == 1 else "WEBP"
            data = encode(brighter, kind, **({"lossless": True} if kind == "WEBP" else {}))
        else:
            data = encode(crop, "JPEG", quality=75 if i % 4 else 85)
        rows["image"].append(data)
        rows["label"].append(generated)
        rows["generator"].append(("alpha" if i % 4 == 1 else "beta") if generated else "camera")
        rows["dataset"].append("one" if i < 24 else "two")
        rows["group"].append(f"scene-{i // 4}")
        rows["name"].append(f"image-{i}")
        rows["style"].append("photo" if not generated or i % 3 else "art")
        rows["split"].append("val" if i < 12 else "test")
    path = tmp_path_factory.mktemp("data") / "crops.parquet"
    Manifest(pa.table(rows)).write(path)
    return Manifest.read(path)
