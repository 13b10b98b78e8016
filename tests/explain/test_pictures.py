"""Colours, overlay, views, figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from authentiscan.core.errors import UsageError
from authentiscan.explain import views
from authentiscan.explain.base import Heatmap
from authentiscan.explain.colours import SCALES, coloured, table
from authentiscan.explain.overlay import VIEWS, Panel, figure, labelled_matrix, overlay, panels

tiny_images = hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


@pytest.mark.parametrize("scale", SCALES)
def test_scales_are_those_of_matplotlib(scale):
    matplotlib = pytest.importorskip("matplotlib")
    theirs = matplotlib.colormaps[scale](np.arange(256))[:, :3] * 255
    assert np.abs(table(scale) - theirs).max() <= 5


@pytest.mark.parametrize("scale", SCALES)
def test_brightness_grows_along_a_scale(scale):
    assert (np.diff(views.luma(table(scale)[None])[0]) > -1.0).all()


def test_colours_of_the_ends_and_of_nonsense():
    values = np.asarray([[0, 1, -5, 9, np.nan]], np.float32)
    shown = coloured(values)
    np.testing.assert_array_equal(shown[0, 0], shown[0, 2])
    np.testing.assert_array_equal(shown[0, 1], shown[0, 3])
    with pytest.raises(UsageError, match="inferno"):
        coloured(values, "jet")


def test_opacity_is_the_share_of_the_colours(photos):
    image = photos["chelsea"]
    values = np.random.default_rng(0).random(image.shape[:2]).astype(np.float32)
    grey = np.rint(views.luma(image))[..., None].repeat(3, 2)
    np.testing.assert_array_equal(overlay(image, values, opacity=0), grey)
    np.testing.assert_array_equal(overlay(image, values, opacity=1), coloured(values))
    covered = np.zeros(values.shape, bool)
    np.testing.assert_array_equal(overlay(image, values, covered=covered), grey)


def test_wrong_overlays_are_refused(photos):
    image = photos["chelsea"]
    with pytest.raises(UsageError, match="opacity"):
        overlay(image, np.zeros(image.shape[:2], np.float32), opacity=1.5)
    with pytest.raises(UsageError, match="differ in size"):
        overlay(image, np.zeros((3, 3), np.float32))


@settings(max_examples=30, deadline=None)
@given(image=tiny_images)
def test_views_survive_any_pixels(image):
    assert views.residual(image).shape == image.shape
    assert views.error_level(image).shape == image.shape
    seen = views.spectrum(image)
    assert seen.shape == image.shape[:2]
    assert np.isfinite(seen).all()
    assert 0 <= seen.min() <= seen.max() <= 1


def test_spectrum_shows_a_grid_as_dots(photos):
    """Nearest-neighbour doubling copies the spectrum; a plain photograph has no such dots."""
    photo = photos["astronaut"][:256, :256]
    waves = photo.astype(np.int16)
    waves[:, ::4] += 40
    seen = views.spectrum(np.clip(waves, 0, 255).astype(np.uint8))
    dot = seen[128, 128 + 64]
    assert dot > views.spectrum(photo)[128, 128 + 64] + 0.3


def test_flat_pictures_have_no_residual_and_no_error_level():
    flat = np.full((32, 32, 3), 77, np.uint8)
    assert (views.residual(flat) == 128).all()
    assert views.error_level(flat).max() <= 15
    with pytest.raises(UsageError):
        views.error_level(flat, quality=0)


def test_error_level_stands_out_where_history_differs(photos):
    from authentiscan.images.decode import decode, encode

    photo = photos["chelsea"]
    once = decode(encode(photo, "JPEG", quality=90)).pixels.copy()
    rng = np.random.default_rng(0)
    once[100:164, 100:164] = rng.integers(0, 256, (64, 64, 3))
    seen = views.error_level(once).astype(float)
    assert seen[110:150, 110:150].mean() > 2 * seen[200:260, 200:260].mean()


@pytest.mark.parametrize("shape", [(32, 32), (300, 451), (1, 900), (900, 1), (1500, 700)])
def test_figures_of_any_shape(shape):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    found = Heatmap(rng.random(shape).astype(np.float32), np.ones(shape, bool), 0.7, "generated")
    drawn = figure(panels(image, found), title="a title")
    assert drawn.dtype == np.uint8
    assert drawn.ndim == 3
    assert max(drawn.shape) < 2200
    assert len(panels(image, found, chosen=["ela"])) == 2
    assert len(panels(image, found)) == 1 + len(VIEWS)


def test_figure_shows_its_panels_unchanged():
    picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    drawn = figure([Panel(picture, "p")])
    windows = np.lib.stride_tricks.sliding_window_view(drawn[..., 0], (300, 400))
    assert any((window == picture[..., 0]).all() for row in windows for window in row)


def test_unknown_views_and_empty_figures_are_refused():
    found = Heatmap(np.zeros((8, 8), np.float32), np.ones((8, 8), bool), 0.1, "real")
    with pytest.raises(UsageError, match="overlay"):
        panels(np.zeros((8, 8, 3), np.uint8), found, chosen=["xray"])
    with pytest.raises(UsageError):
        figure([])


def test_labelled_matrix_carries_its_colours():
    drawn = labelled_matrix(np.eye(3, dtype=np.float32), ["a", "a longer name", "c"])
    colours = {tuple(colour) for colour in np.asarray(Image.fromarray(drawn)).reshape(-1, 3)}
    assert {tuple(table("viridis")[0]), tuple(table("viridis")[255])} <= colours
