"""An attributor names, rejects, averages crops, and never trusts a changed bundle."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from authentiscan.attribution import UNKNOWN, load_attributor, read_attributor
from authentiscan.core.errors import (
    BundleError,
    BundleIntegrityError,
    BundleNotFoundError,
    BundleVersionError,
    UsageError,
)
from authentiscan.inference import read_spec
from conftest_attribution import colour_graph


def plain(red: int, green: int, blue: int, side: int = 40) -> np.ndarray:
    return np.full((side, side, 3), (red, green, blue), dtype=np.uint8)


def test_the_nearest_generator_is_named_with_probabilities(colours: Path) -> None:
    answer = load_attributor(colours).attribute(plain(255, 5, 0))
    assert answer.generator == "red"
    assert answer.known
    assert [c.generator for c in answer.candidates] == ["red", "green"]
    assert answer.candidates[0].probability > 0.99
    assert answer.fit == pytest.approx(21 / 21) or answer.fit > 0.9
    assert answer.sentence() == "likely generator: red 100%, green 0%"


def test_what_is_like_none_is_unknown(colours: Path) -> None:
    answer = load_attributor(colours).attribute(plain(120, 120, 0))
    assert answer.generator == UNKNOWN
    assert not answer.known
    assert answer.fit < answer.least_fit
    assert answer.candidates[0].probability == pytest.approx(0.5, abs=0.05)
    assert "unknown (nearest known:" in answer.sentence()


def test_a_photograph_gets_no_name_and_is_no_candidate(colours: Path) -> None:
    answer = load_attributor(colours).attribute(plain(0, 0, 255))
    assert answer.generator == UNKNOWN
    assert answer.fit > answer.least_fit
    assert {c.generator for c in answer.candidates} == {"red", "green"}
    assert sum(c.probability for c in answer.candidates) == pytest.approx(1, abs=1e-3)


def test_crops_are_averaged(colours: Path) -> None:
    pixels = np.concatenate([plain(255, 0, 0, 32), plain(0, 255, 0, 32)], axis=1)
    ready = load_attributor(colours)
    embedding, crops = ready.embed(pixels)
    assert crops == 2
    assert embedding == pytest.approx([50, 50, 0])
    assert ready.attribute(pixels).crops == 2


def test_batches_give_what_single_crops_give(colours: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole, by_one = load_attributor(colours), load_attributor(colours)
    by_one.batch = 1
    assert whole.embed(pixels)[0] == pytest.approx(by_one.embed(pixels)[0], abs=1e-4)


def test_many_images_in_order(colours: Path) -> None:
    made = load_attributor(colours).attribute_many([plain(255, 0, 0), plain(0, 255, 0)])
    assert [answer.generator for answer in made] == ["red", "green"]


def test_a_changed_file_is_refused(colours: Path) -> None:
    (colours / "model.onnx").write_bytes(b"changed")
    with pytest.raises(BundleIntegrityError, match="SHA-256"):
        load_attributor(colours)


def test_another_graph_is_refused_in_words(colours: Path) -> None:
    colour_graph(colours / "model.onnx", output="logits")
    with pytest.raises(BundleError, match="expected input 'image' and output 'features'"):
        load_attributor(colours, verify=False)


def test_a_detector_is_no_attributor_nor_the_reverse(colours: Path) -> None:
    tiny = Path(__file__).parents[1] / "fixtures" / "tiny-bundle"
    with pytest.raises(BundleError, match="is a detector, not an attributor"):
        read_attributor(tiny)
    with pytest.raises(BundleError, match="use it with --attributor"):
        read_spec(colours)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"temperature": 0}, "temperature"),
        ({"distances": [3, 1]}, "rise"),
        ({"generators": []}, "generators"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_description_is_told(colours: Path, change: dict[str, object], told: str) -> None:
    path = colours / "detector.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(BundleError, match=told):
        read_attributor(colours)


def test_names_are_unique_and_widths_equal(colours: Path) -> None:
    path = colours / "detector.json"
    content = json.loads(path.read_text())
    content["generators"][1]["name"] = "red"
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="more than once: red"):
        read_attributor(colours)
    content["generators"][1] |= {"name": "green", "prototype": [1.0]}
    path.write_text(json.dumps(content))
    with pytest.raises(BundleError, match="all must have as many"):
        read_attributor(colours)


def test_a_later_version_is_refused(colours: Path) -> None:
    path = colours / "detector.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schema_version": 9}))
    with pytest.raises(BundleVersionError, match="schema version 9"):
        read_attributor(colours)


def test_what_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BundleNotFoundError):
        load_attributor(tmp_path / "nothing")


def test_threads_are_at_least_one(colours: Path) -> None:
    with pytest.raises(UsageError, match="threads is 0"):
        load_attributor(colours, threads=0)


def test_identity_changes_with_the_prototypes(colours: Path) -> None:
    spec = read_attributor(colours)
    other = spec.model_copy(update={"generators": spec.generators[:2]})
    assert spec.identity
    assert spec.identity != other.identity
    assert spec.names == ("red", "green")
