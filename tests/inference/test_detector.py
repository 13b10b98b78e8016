"""Bundles in, scores out: contract, errors, equality of the backends."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import authentiscan
from authentiscan.core.errors import (
    BundleError,
    BundleIntegrityError,
    BundleNotFoundError,
    UsageError,
)
from authentiscan.core.types import DecodedImage, ImageFacts, Verdict
from authentiscan.inference import Detector, default_bundle, load_detector
from authentiscan.inference.onnx_backend import open_session


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


def enlarged(photo: np.ndarray) -> np.ndarray:
    height, width = photo.shape[:2]
    return np.asarray(
        Image.fromarray(photo).resize((2 * width, 2 * height), Image.Resampling.BILINEAR)
    )


def test_the_tiny_detector_tells_what_it_was_made_to_tell(detector, photos):
    real = detector.predict(photos["astronaut"])
    generated = detector.predict(enlarged(photos["astronaut"]))
    assert 0 <= real.score < 0.5 < generated.score <= 1
    assert detector.verdict(generated.score) is Verdict.GENERATED
    assert len(real.crops) == 4
    assert all(0 <= crop.score <= 1 for crop in real.crops)
    assert real.spread >= 0


def test_every_kind_of_source_gives_the_same_score(detector, photos):
    pixels = photos["chelsea"]
    facts = ImageFacts("PNG", pixels.shape[1], pixels.shape[0], "RGB", 0, "")
    assert detector.predict(pixels) == detector.predict(DecodedImage(pixels, facts))


def test_paths_and_bytes_are_decoded(detector, photos, tmp_path):
    pytest.importorskip("authentiscan.images.decode")
    path = tmp_path / "photo.png"
    Image.fromarray(photos["chelsea"]).save(path)
    expected = detector.predict(photos["chelsea"])
    assert detector.predict(path) == expected
    assert detector.predict(str(path)) == expected
    assert detector.predict(path.read_bytes()) == expected


def test_predict_many_equals_predict_one_by_one_and_is_lazy(tiny_bundle, photos):
    detector = load_detector(tiny_bundle, batch=5, threads=1)
    images = [*photos.values(), photos["coffee"][:40, :40]]
    many = list(detector.predict_many(iter(images)))
    for image, prediction in zip(images, many, strict=True):
        alone = detector.predict(image)
        assert prediction.score == pytest.approx(alone.score, abs=1e-5)
        assert [c.box for c in prediction.crops] == [c.box for c in alone.crops]

    def endless():
        while True:
            yield photos["coffee"]

    stream = detector.predict_many(endless())
    assert next(stream).score == pytest.approx(detector.predict(photos["coffee"]).score, abs=1e-5)
    assert list(detector.predict_many([])) == []


def test_torch_and_onnx_agree(tiny_bundle, detector, photos):
    torch_detector = load_detector(tiny_bundle, backend="torch", threads=1)
    for photo in photos.values():
        crops, _ = detector.spec.preprocess.crops(photo)
        np.testing.assert_allclose(
            detector.network.logits(crops), torch_detector.network.logits(crops), atol=1e-4
        )
        assert detector.predict(photo).score == pytest.approx(
            torch_detector.predict(photo).score, abs=1e-4
        )
        for target in ("generated", "real"):
            _, onnx_cam = detector.network.explain_crops(crops, target)
            _, torch_cam = torch_detector.network.explain_crops(crops, target)
            assert onnx_cam.min() >= 0
            np.testing.assert_allclose(onnx_cam, torch_cam, atol=1e-4)


def test_explaining_does_not_change_the_logits(detector, photos):
    crops, _ = detector.spec.preprocess.crops(photos["china"])
    logits, cam = detector.network.explain_crops(crops)
    np.testing.assert_allclose(logits, detector.network.logits(crops), atol=1e-6)
    assert cam.dtype == np.float32
    assert len(cam) == len(crops)


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((64, 64, 3), np.float32),
        np.zeros((64, 64), np.uint8),
        np.zeros((64, 64, 4), np.uint8),
        np.zeros((0, 64, 3), np.uint8),
    ],
)
def test_pixels_of_another_shape_are_refused(detector, wrong):
    with pytest.raises(UsageError, match="expected \\(H, W, 3\\) uint8"):
        detector.predict(wrong)


def test_crops_of_another_size_are_refused(detector):
    with pytest.raises(UsageError, match="expected \\(N, 64, 64, 3\\)"):
        detector.network.logits(np.zeros((1, 32, 32, 3), np.uint8))
    with pytest.raises(UsageError):
        detector.network.logits(np.zeros((0, 64, 64, 3), np.uint8))


def test_wrong_arguments_are_refused(tiny_bundle):
    with pytest.raises(UsageError, match="backend"):
        load_detector(tiny_bundle, backend="tensorflow")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="threads"):
        load_detector(tiny_bundle, threads=0)
    with pytest.raises(UsageError, match="batch"):
        load_detector(tiny_bundle, batch=0)


def test_missing_and_changed_bundles_are_refused(tiny_bundle, tmp_path):
    with pytest.raises(BundleNotFoundError):
        load_detector(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(tiny_bundle, copy)
    with (copy / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(BundleIntegrityError, match=r"model\.onnx"):
        load_detector(copy)


def test_the_default_is_a_bundle_or_a_clear_error():
    packaged = Path(authentiscan.__file__).parent / "detectors" / "default" / "detector.json"
    if packaged.is_file():
        assert load_detector().spec.name
    else:
        with pytest.raises(BundleNotFoundError, match="train one"):
            default_bundle()


def test_the_onnx_path_never_imports_torch(tiny_bundle):
    code = (
        "import sys, numpy as np; from authentiscan.inference import load_detector;"
        f"d = load_detector({str(tiny_bundle)!r});"
        "d.predict(np.zeros((80, 80, 3), np.uint8));"
        "d.network.explain_crops(np.zeros((1, 64, 64, 3), np.uint8));"
        "print([m for m in ('torch', 'timm', 'onnx', 'pandas', 'pyarrow') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_damaged_graph_prints_nothing(
    tiny_bundle: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """ONNX Runtime would try again with words on standard output, where JSON may be expected."""
    (tmp_path / "model.onnx").write_bytes(
        (tiny_bundle / "model.onnx").read_bytes()[:-200] + b"\xe6\xe6" * 100
    )
    with pytest.raises(BundleError):
        open_session(tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")
