"""JPEG headers: quality and subsampling read back; the fast decoder bit-equal to Pillow's."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest
from PIL import Image

from authentiscan.images.decode import decode, encode
from authentiscan.images.jpeg import decode_fast
from authentiscan.images.walk.jpeg import read_header


@pytest.fixture(scope="module")
def photo(photos: dict[str, np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(photos["astronaut"][:93, :77])


def jpeg(pixels: np.ndarray, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
def test_every_quality_and_subsampling_is_read_back(photo: np.ndarray, subsampling: str) -> None:
    for quality in range(1, 101):
        header = read_header(encode(photo, "JPEG", quality=quality, subsampling=subsampling))
        assert (header.quality, header.subsampling) == (quality, subsampling)


def test_grey_has_quality_and_no_chroma(photo: np.ndarray) -> None:
    header = read_header(jpeg(photo[..., 0], quality=64))
    assert (header.quality, header.subsampling) == (64, "4:0:0")


def test_other_tables_have_no_quality(photo: np.ndarray) -> None:
    assert read_header(jpeg(photo, qtables=[[7] * 64, [9] * 64])).quality is None
    luminance = Image.open(io.BytesIO(jpeg(photo, quality=80))).quantization[0]
    assert read_header(jpeg(photo, qtables=[luminance, [9] * 64])).quality is None
    assert decode(jpeg(photo, qtables="web_high")).facts.jpeg_quality is None


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [5, 50, 75, 90, 100])
def test_fast_decoder_is_bit_equal(
    photos: dict[str, np.ndarray], quality: int, subsampling: str, progressive: bool
) -> None:
    pytest.importorskip("simplejpeg")
    for name, crop in (("coffee", np.s_[:201, :151]), ("rocket", np.s_[100:133, :417])):
        content = encode(
            photos[name][crop],
            "JPEG",
            quality=quality,
            subsampling=subsampling,
            progressive=progressive,
        )
        fast = decode_fast(content, read_header(content))
        assert fast is not None
        np.testing.assert_array_equal(fast, np.array(Image.open(io.BytesIO(content))))


@pytest.mark.parametrize("side", [1, 7, 8, 9, 15, 16, 17])
def test_fast_decoder_is_bit_equal_at_odd_sizes(photo: np.ndarray, side: int) -> None:
    pytest.importorskip("simplejpeg")
    for pixels in (photo[:side, :40], photo[:40, :side], photo[:side, :side, 0]):
        content = jpeg(np.ascontiguousarray(pixels), quality=85, optimize=True)
        fast = decode_fast(content, read_header(content))
        assert fast is not None
        slow = np.array(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(fast, slow)


def test_fast_decoder_takes_the_first_of_several_pictures(photo: np.ndarray) -> None:
    """Phones write a small picture behind the photograph (MPO)."""
    pytest.importorskip("simplejpeg")
    small = Image.new("RGB", (9, 9))
    content = _saved(Image.fromarray(photo), "MPO", save_all=True, append_images=[small])
    fast = decode_fast(content, read_header(content))
    assert fast is not None
    np.testing.assert_array_equal(fast, np.array(Image.open(io.BytesIO(content))))


def test_fast_decoder_leaves_the_unusual_to_pillow(photo: np.ndarray) -> None:
    image = Image.fromarray(photo)
    for content in (
        _saved(image.convert("CMYK")),
        _saved(image, keep_rgb=True),
        jpeg(photo)[:-400],
    ):
        assert decode_fast(content, read_header(content)) is None


def test_rgb_jpeg_without_colour_transform(photo: np.ndarray) -> None:
    image = decode(jpeg(photo, keep_rgb=True, quality=100, subsampling=0))
    assert np.abs(image.pixels.astype(int) - photo).max() <= 2


def test_markers_with_fill_bytes_and_junk(photo: np.ndarray) -> None:
    content = encode(photo, "JPEG", quality=71)
    padded = content[:2] + b"\xff\xff\xff" + content[2:]
    assert read_header(padded).quality == 71
    assert decode(padded).facts.jpeg_quality == 71


def test_decoding_in_threads_gives_the_same(photo: np.ndarray) -> None:
    content = encode(photo, "JPEG")
    expected = decode(content).pixels
    wrong: list[int] = []

    def work() -> None:
        wrong.extend(i for i in range(50) if not (decode(content).pixels == expected).all())

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def _saved(image: Image.Image, format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()
