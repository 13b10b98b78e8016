"""The residual family: fixed front ends, arguments, size."""

from __future__ import annotations

import pytest
import torch

from authentiscan.core.errors import UsageError
from authentiscan.models import create
from authentiscan.models.residual import FRONTS, create_front


@pytest.mark.parametrize("name", FRONTS)
def test_fronts_keep_the_size_and_train_nothing(name):
    front, channels = create_front(name)
    assert front(torch.randn(2, 3, 16, 24)).shape == (2, channels, 16, 24)
    assert not list(front.parameters())


@pytest.mark.parametrize("name", ["npr", "highpass"])
def test_residual_fronts_do_not_see_flat_colour(name):
    front, _ = create_front(name)
    flat = torch.rand(1, 3, 1, 1).expand(1, 3, 16, 16)
    assert front.filter(flat).abs().max() < 1e-5


def test_npr_is_the_difference_from_the_cell_corner():
    front, _ = create_front("npr")
    x = torch.randn(1, 3, 4, 4)
    out = front.filter(x)
    assert out[:, :, ::2, ::2].abs().max() == 0
    torch.testing.assert_close(out[0, 0, 1, 3], x[0, 0, 1, 3] - x[0, 0, 0, 2])


def test_default_size_and_stem_stride():
    model = create("residual")
    assert 1e6 < model.parameter_count() < 2e6
    with torch.no_grad():
        assert model.eval().features(torch.zeros(1, 3, 128, 128)).shape == (1, 256, 8, 8)
        coarse = create("residual", stem_stride=4).eval()
        assert coarse.features(torch.zeros(1, 3, 128, 128)).shape == (1, 256, 4, 4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"front": "fft"},
        {"activation": "gelu"},
        {"widths": [8, 16], "depths": [1]},
        {"widths": [], "depths": []},
        {"widths": [8], "depths": [0]},
    ],
)
def test_arguments_that_do_not_fit_are_refused(wrong):
    with pytest.raises(UsageError):
        create("residual", **wrong)
