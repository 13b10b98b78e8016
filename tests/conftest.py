"""Fixtures shared by all tests: real photographs, the shared data, a tiny real bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with the project's training and measuring data, which is not in the repository."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the folder ../shared/data beside the checkout, which is absent here")
    return folder


@pytest.fixture(scope="session")
def photos() -> dict[str, np.ndarray]:
    """Free photographs (H, W, 3) uint8 that scikit-image and scikit-learn carry."""
    from skimage import data as skimage_data
    from sklearn.datasets import load_sample_images

    china, flower = load_sample_images().images
    return {
        "astronaut": skimage_data.astronaut(),
        "chelsea": skimage_data.chelsea(),
        "coffee": skimage_data.coffee(),
        "rocket": skimage_data.rocket(),
        "china": china,
        "flower": flower,
    }


@pytest.fixture(scope="session")
def tiny_bundle() -> Path:
    """A complete bundle of a very small model, for tests that need any detector."""
    return ROOT / "tests" / "fixtures" / "tiny-bundle"
