"""The co-occurrence family: counts are right, symmetric, and the same in every runtime."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from authentiscan.core.errors import UsageError
from authentiscan.models import create
from authentiscan.models.cooccurrence.front import CO_OCCURRENCES, LocalCoOccurrences


@pytest.fixture(scope="module")
def front():
    return LocalCoOccurrences(cells=2).eval()


@pytest.fixture(scope="module")
def pixels(photos):
    crop = photos["chelsea"][64:160, 128:224]
    return torch.from_numpy(crop.astype(np.float32)).permute(2, 0, 1)[None]


def test_shares_of_each_co_occurrence_add_up_to_one(front, pixels):
    shares = front(pixels)
    assert shares.shape == (1, front.channels, 2, 2)
    sums = [part.sum(dim=1) for part in shares.split(front.sizes, dim=1)]
    assert len(sums) == len(CO_OCCURRENCES)
    for total in sums:
        torch.testing.assert_close(total, torch.ones_like(total))


def test_counts_equal_a_plain_count(pixels):
    front = LocalCoOccurrences(cells=1).eval()
    shares = front(pixels)[0, :, 0, 0]
    plane = np.round(pixels[0].numpy().astype(np.float64))
    number = [kind.name for kind in CO_OCCURRENCES].index("red, green and blue at one place")
    zero = 0
    total = 0
    for image in (plane, plane.transpose(0, 2, 1)):
        steps = np.diff(image, axis=2)
        zero += int((steps == 0).all(axis=0).sum()) / steps[0].size / 2
        total += 1
    start = sum(front.sizes[:number])
    table = front.get_buffer("tables")[number]
    class_of_zeros = int(table[3 * 49 + 3 * 7 + 3])
    assert total == 2
    assert float(shares[start + class_of_zeros]) == pytest.approx(zero, abs=1e-6)


@pytest.mark.parametrize(
    "change",
    [
        lambda x: x.flip(3),
        lambda x: x.flip(2),
        lambda x: x.transpose(2, 3),
        lambda x: x.rot90(1, (2, 3)),
    ],
)
def test_flips_and_turns_change_nothing_over_the_whole(pixels, change):
    front = LocalCoOccurrences(cells=1).eval()
    reversible = [kind.reversible for kind in CO_OCCURRENCES]
    before = front(pixels)[0, :, 0, 0].split(front.sizes)
    after = front(change(pixels))[0, :, 0, 0].split(front.sizes)
    for one, other, both_ways in zip(before, after, reversible, strict=True):
        # Where the reading direction counts, mirroring changes which corner is looked at.
        limit = 0.03 if both_ways else 0.2
        assert float((one - other).abs().sum()) < limit


def test_a_flat_image_is_all_zeros_together(front):
    shares = front(torch.full((1, 3, 64, 64), 77.0))
    assert int((shares > 0).sum()) == len(CO_OCCURRENCES) * 4
    assert float(shares.max()) == 1.0


def test_rounding_does_not_hang_on_the_order_of_additions(front, pixels):
    noisy = pixels + 1e-5 * torch.randn_like(pixels)
    torch.testing.assert_close(front(noisy), front(pixels), atol=0, rtol=0)


def test_bad_arguments_are_told():
    with pytest.raises(UsageError, match="cells must be at least 1"):
        create("cooccurrence", cells=0)


def test_only_the_head_learns_and_rare_combinations_have_finite_gradients():
    model = create("cooccurrence").train()
    assert not list(model.backbone.parameters())
    maps = model.features(torch.full((2, 3, 64, 64), 9.0)).requires_grad_()
    model.head(maps).sum().backward()
    assert maps.grad is not None
    assert bool(torch.isfinite(maps.grad).all())
