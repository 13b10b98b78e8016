"""The spectrum family: what its front end sees and what it does not."""

from __future__ import annotations

import math

import pytest
import torch

from authentiscan.core.errors import UsageError
from authentiscan.models import create
from authentiscan.models.spectrum.front import LocalSpectrum


@pytest.fixture(scope="module")
def front():
    return LocalSpectrum().eval()


def test_front_trains_nothing_and_shapes_follow_the_windows(front):
    assert not list(front.parameters())
    assert front(torch.randn(2, 3, 64, 64)).shape == (2, front.channels, 1, 1)
    assert front(torch.randn(1, 3, 176, 176)).shape == (1, front.channels, 4, 4)


def test_contrast_and_brightness_are_not_seen(front):
    x = torch.randn(1, 3, 96, 96)
    torch.testing.assert_close(front(x), front(0.5 * x), atol=0.02, rtol=0)
    change = (front(x) - front(x + 0.3)).abs()
    assert change.median() < 0.01  # the taper spreads a little into the coarsest bands
    assert (change > 0.25).float().mean() < 0.01


def test_no_direction_is_preferred(front):
    x = torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(front(x), front(x.transpose(2, 3)), atol=1e-3, rtol=0)


@pytest.mark.parametrize("period", [2, 4, 8])
def test_a_periodic_trace_shows_in_its_own_band(front, period):
    clean = 0.1 * torch.randn(1, 3, 96, 96)
    wave = torch.cos(2 * math.pi * torch.arange(96) / period).expand(1, 3, 96, 96)
    change = (front(clean + 0.2 * wave) - front(clean))[0, : front.bands].mean((1, 2))
    frequency = min(2 * front.window // period, front.window - 1)  # in half periods a window
    expected = front.get_buffer("pair").tolist().index(frequency)  # (0, frequency)
    assert abs(int(change.argmax()) - expected) <= 1


def test_bad_arguments_are_told():
    with pytest.raises(UsageError, match="window must be even"):
        create("spectrum", window=9)
    with pytest.raises(UsageError, match="widths not empty"):
        create("spectrum", widths=[])
