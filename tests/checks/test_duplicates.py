"""Near duplicates: planted copies are found, others are not, the search keeps its promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.checks import duplicates
from authentiscan.images import degrade


def crops(photos: dict[str, np.ndarray], side: int = 120) -> list[np.ndarray]:
    """Different, not overlapping parts of the photographs."""
    return [
        photo[top : top + side, left : left + side]
        for photo in photos.values()
        for top in range(0, photo.shape[0] - side + 1, side)
        for left in range(0, photo.shape[1] - side + 1, side)
    ]


def fingerprints(images: list[np.ndarray]) -> np.ndarray:
    return np.stack([duplicates.small_grey(image) for image in images])


@pytest.mark.parametrize(
    ("chain", "share"),
    [
        ("resize:scale=0.5", 0.99),
        ("resize:scale=1.7", 0.99),
        ("jpeg:quality=40", 0.97),
        ("webp:quality=50", 0.99),
        ("crop:keep=0.95", 0.93),
        ("crop:keep=0.9,x=0.5,y=0.5", 0.93),
        ("crop:keep=0.95 | resize:scale=0.6..1 | jpeg:quality=70", 0.9),
        ("brightness:factor=0.85..1.1", 0.97),
    ],
)
def test_planted_copies_are_found_and_nothing_else(
    photos: dict[str, np.ndarray], chain: str, share: float
) -> None:
    parsed = degrade.parse(chain)
    images = [image for image in crops(photos) if image.std() > 30]
    copies = [parsed(image, degrade.image_rng(0, i))[0] for i, image in enumerate(images)]
    greys = fingerprints(images + copies)
    pairs = duplicates.candidate_pairs(duplicates.hashes(greys))
    pairs = pairs[duplicates.confirm(greys, pairs) >= duplicates.SIMILARITY]
    planted = pairs[:, 1] - pairs[:, 0] == len(images)
    assert planted.sum() >= share * len(images)
    assert (~planted).sum() <= 2


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), flips=st.integers(0, duplicates.RADIUS))
def test_every_pair_within_the_radius_is_a_candidate(seed: int, flips: int) -> None:
    rng = np.random.default_rng(seed)
    hashes = rng.integers(0, 2**64, (300, 1), dtype=np.uint64)
    bits = rng.choice(64, flips, replace=False)
    hashes[250] = hashes[17] ^ np.uint64(sum(1 << int(bit) for bit in bits))
    pairs = {tuple(p) for p in duplicates.candidate_pairs(hashes).tolist()}
    assert (17, 250) in pairs
    assert len(pairs) < 5


def test_candidates_equal_those_of_brute_force() -> None:
    rng = np.random.default_rng(5)
    # Hashes near few centres, so that there are many close pairs at every distance.
    centres = rng.integers(0, 2**64, 20, dtype=np.uint64)
    hashes = centres[rng.integers(20, size=400)]
    for _ in range(6):
        hashes ^= np.uint64(1) << rng.integers(0, 64, 400, dtype=np.uint64)
    hashes = np.unique(hashes)[:, None]
    distance = np.bitwise_count(hashes ^ hashes.T)
    wanted = {(i, j) for i, j in np.argwhere(distance <= duplicates.RADIUS).tolist() if i < j}
    found = {tuple(p) for p in duplicates.candidate_pairs(hashes).tolist()}
    assert found == wanted


def test_equal_hashes_are_chained_not_squared() -> None:
    hashes = np.full((5000, duplicates.HASHES), 12345, dtype=np.uint64)
    pairs = duplicates.candidate_pairs(hashes)
    assert len(pairs) == 4999
    assert (duplicates.clusters(pairs, 5000) == 0).all()


def test_clusters_join_what_is_connected() -> None:
    pairs = np.asarray([[5, 3], [3, 9], [1, 2]])
    assert duplicates.clusters(pairs, 10).tolist() == [0, 1, 1, 3, 4, 3, 6, 7, 8, 3]
    assert duplicates.clusters(np.empty((0, 2), np.int64), 3).tolist() == [0, 1, 2]


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (33, 31), (700, 20)])
def test_images_of_any_shape_have_fingerprints(shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    grey = duplicates.small_grey(pixels)[None]
    assert grey.shape == (1, duplicates.GREY_SIDE, duplicates.GREY_SIDE)
    assert duplicates.hashes(grey).shape == (1, duplicates.HASHES)


def test_flat_images_are_told() -> None:
    flat = np.full((1, 32, 32), 200, np.uint8)
    assert duplicates.is_flat(flat)[0]
    assert not duplicates.is_flat(np.random.default_rng(0).integers(0, 256, (1, 32, 32)))[0]
