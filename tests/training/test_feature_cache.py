"""Features are computed once, kept by what the crop looks like, and found by the next run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from authentiscan.models import create
from authentiscan.training.feature_cache import FeatureCache, backbone_identity, crop_keys
from authentiscan.training.recipe import Recipe, recipe_sha256
from authentiscan.training.run import train

from .test_fixed import HEAD


def test_what_was_put_is_found_in_a_later_process(tmp_path: Path) -> None:
    crops = torch.rand(3, 3, 8, 8)
    keys = crop_keys(crops)
    assert len(set(keys)) == 3
    assert crop_keys(crops[1:]) == keys[1:]
    values = np.arange(12, dtype=np.float16).reshape(3, 4)
    cache = FeatureCache(tmp_path)
    cache.put(keys, values)
    assert len(FeatureCache(tmp_path)) == 0, "nothing is written yet"
    cache.flush()
    again = FeatureCache(tmp_path)
    assert len(again) == 3
    for key, expected in zip(keys, values, strict=True):
        found = again.get(key)
        assert found is not None
        np.testing.assert_array_equal(found, expected)
    assert again.get(b"x" * 16) is None


def test_a_damaged_part_is_computed_again(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path)
    cache.put([b"a" * 16], np.ones((1, 2), np.float16))
    cache.flush()
    (part,) = tmp_path.glob("*.safetensors")
    part.write_bytes(part.read_bytes()[:20])
    assert len(FeatureCache(tmp_path)) == 0


def test_another_backbone_has_another_identity() -> None:
    one = create("foundation", backbones=["test_vit"], size=32).backbone
    assert backbone_identity(one) == backbone_identity(one)
    other = create("foundation", backbones=["test_vit"], size=32, depths=2).backbone
    other.load_state_dict(one.state_dict())
    assert backbone_identity(other) == backbone_identity(one)
    other.state_dict()["towers.0.network.norm.weight"].mul_(2)
    assert backbone_identity(other) != backbone_identity(one)


class _Titles:
    """A reporter that keeps the titles of stages."""

    def __init__(self, titles: list[str] | None = None) -> None:
        self.titles = [] if titles is None else titles

    def start(self, title: str, *_: object) -> None:
        self.titles.append(title)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


class _Stops(_Titles):
    """A reporter that is interrupted, as by Ctrl-C, behind the first batch of features."""

    def step(self, *_: object, **__: object) -> None:
        raise KeyboardInterrupt


def test_an_interrupted_run_leaves_the_features_that_it_computed(
    tiny: Callable[..., Recipe], toy: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    recipe = tiny(toy, *HEAD, "feature_cache=true", f"outputs={tmp_path / 'runs'}", epochs=1)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, output=tmp_path / "one", reporter=_Stops())
    again = _Titles()
    with pytest.raises(KeyboardInterrupt):
        train(recipe, output=tmp_path / "two", reporter=_Stops(again.titles))
    (kept,) = [title for title in again.titles if title.startswith("features (")]
    assert kept != "features (0 kept)"


def test_the_next_run_finds_all_and_comes_to_the_same_weights(
    tiny: Callable[..., Recipe], toy: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    recipe = tiny(toy, *HEAD, "feature_cache=true", f"outputs={tmp_path / 'runs'}", epochs=2)
    first, second = _Titles(), _Titles()
    one = train(recipe, output=tmp_path / "one", reporter=first)
    two = train(recipe, output=tmp_path / "two", reporter=second)
    assert "features (0 kept)" in first.titles
    kept = next(t for t in second.titles if t.startswith("features ("))
    assert int(kept.split("(")[1].split()[0].replace(",", "")) > 20
    assert one.spec is not None
    assert two.spec is not None
    assert one.spec.files["weights.safetensors"] == two.spec.files["weights.safetensors"]
    plain = recipe.model_copy(update={"feature_cache": False})
    assert recipe_sha256(plain) != recipe_sha256(recipe)
