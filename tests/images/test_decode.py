"""Decoding real files of every allowed format to the pixels and facts they hold."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from authentiscan.core.errors import CorruptImageError, ImageLimitError, UsageError
from authentiscan.images.decode import (
    Limits,
    decode,
    encode,
    encoded_again,
    read_header_facts,
)

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "BMP", "GIF")


def saved(image: Image.Image, format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def pillow_pixels(content: bytes) -> np.ndarray:
    return np.array(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture(scope="module")
def photo(photos: dict[str, np.ndarray]) -> np.ndarray:
    return np.ascontiguousarray(photos["chelsea"][:131, :203])


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_gives_pillows_pixels_and_true_facts(photo: np.ndarray, format: str) -> None:
    content = saved(Image.fromarray(photo), format)
    image = decode(content)
    assert image.pixels.dtype == np.uint8
    assert image.pixels.flags.c_contiguous
    np.testing.assert_array_equal(image.pixels, pillow_pixels(content))
    facts = image.facts
    assert (facts.format, facts.width, facts.height) == (format, 203, 131)
    assert facts.bytes == len(content)
    assert facts.sha256 == hashlib.sha256(content).hexdigest()
    assert (facts.frames, facts.has_alpha, facts.orientation_applied) == (1, False, False)
    assert facts.mode == ("P" if format == "GIF" else "RGB")
    assert read_header_facts(content) == facts
    assert (facts.jpeg_quality is None) == (format != "JPEG")


def test_heic_with_its_extra(photo: np.ndarray) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(photo)).save(buffer, quality=90)
    image = decode(buffer.getvalue())
    assert image.facts.format == "HEIF"
    assert np.abs(image.pixels.astype(int) - photo).mean() < 4


def test_heic_orientation_is_applied_once(photo: np.ndarray) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(photo)).save(buffer, quality=95, exif=exif.tobytes())
    image = decode(buffer.getvalue())
    assert image.facts.orientation_applied
    expected = np.rot90(photo, -1)
    assert image.pixels.shape == expected.shape
    assert np.abs(image.pixels.astype(int) - expected).mean() < 5


def test_multi_picture_jpeg_is_named_and_its_first_picture_taken(photo: np.ndarray) -> None:
    first, second = Image.fromarray(photo), Image.fromarray(255 - photo)
    content = saved(first, "MPO", save_all=True, append_images=[second])
    image = decode(content)
    assert (image.facts.format, image.facts.frames) == ("MPO", 2)
    np.testing.assert_array_equal(image.pixels, pillow_pixels(content))
    assert image.facts.jpeg_quality == 75
    assert read_header_facts(content) == image.facts


def test_facts_of_headers_need_no_whole_pixels_but_whole_headers(photo: np.ndarray) -> None:
    content = saved(Image.fromarray(photo), "PNG")
    cut = content[: len(content) // 2]
    with pytest.raises(CorruptImageError):
        decode(cut)
    facts = read_header_facts(cut)
    assert (facts.width, facts.height, facts.bytes) == (203, 131, len(cut))
    with pytest.raises(CorruptImageError):
        read_header_facts(content[:20])
    with pytest.raises(ImageLimitError):
        read_header_facts(content, limits=Limits(pixels=200 * 131))


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "I;16"])
def test_facts_of_headers_in_other_modes(photo: np.ndarray, mode: str) -> None:
    plain = Image.fromarray(photo)
    image = plain.convert("L").convert("I;16") if mode == "I;16" else plain.convert(mode)
    content = saved(image, "TIFF" if mode == "CMYK" else "PNG")
    facts, whole = read_header_facts(content), decode(content).facts
    assert facts.mode == whole.mode
    assert facts.has_alpha == (mode == "RGBA")  # no pixel is looked at: whether it is used
    assert not whole.has_alpha


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo: np.ndarray, format: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    content = saved(Image.fromarray(photo), format, exif=exif, **options)
    image = decode(content)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    np.testing.assert_array_equal(image.pixels, np.array(upright))
    assert image.facts.orientation_applied == (orientation > 1)
    assert (image.facts.height, image.facts.width) == image.pixels.shape[:2]
    assert read_header_facts(content) == image.facts


def test_absurd_orientation_is_ignored(photo: np.ndarray) -> None:
    exif = Image.Exif()
    exif[0x0112] = 77
    image = decode(saved(Image.fromarray(photo), "JPEG", exif=exif))
    assert not image.facts.orientation_applied
    assert image.pixels.shape == photo.shape


def test_transparency_is_composed_over_white() -> None:
    pixels = np.zeros((2, 3, 4), np.uint8)
    pixels[..., 0] = 200
    pixels[0, :, 3] = [0, 128, 255]
    pixels[1, :, 3] = 255
    image = decode(saved(Image.fromarray(pixels, "RGBA"), "PNG"))
    assert image.facts.has_alpha
    assert image.facts.mode == "RGBA"
    assert image.pixels[0, 0].tolist() == [255, 255, 255]
    assert image.pixels[0, 2].tolist() == [200, 0, 0]
    assert abs(int(image.pixels[0, 1, 1]) - 127) <= 1


def test_opaque_alpha_changes_nothing(photo: np.ndarray) -> None:
    opaque = Image.fromarray(photo).convert("RGBA")
    image = decode(saved(opaque, "PNG"))
    np.testing.assert_array_equal(image.pixels, photo)
    assert not image.facts.has_alpha


def test_grey_with_alpha() -> None:
    grey = Image.merge("LA", (Image.new("L", (4, 4), 90), Image.new("L", (4, 4), 0)))
    image = decode(saved(grey, "PNG"))
    assert (image.pixels == 255).all()
    assert image.facts.mode == "LA"


def test_palette_with_a_transparent_entry() -> None:
    palette = Image.new("P", (4, 2), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60] + [0] * 762)
    palette.putpixel((0, 0), 0)
    image = decode(saved(palette, "PNG", transparency=0))
    assert image.pixels[0, 0].tolist() == [255, 255, 255]
    assert image.pixels[1, 1].tolist() == [40, 50, 60]
    assert image.facts.has_alpha


def test_colour_key_of_an_rgb_png() -> None:
    key = Image.new("RGB", (3, 3), (1, 2, 3))
    key.putpixel((1, 1), (9, 9, 9))
    image = decode(saved(key, "PNG", transparency=(1, 2, 3)))
    assert image.pixels[0, 0].tolist() == [255, 255, 255]
    assert image.pixels[1, 1].tolist() == [9, 9, 9]


def test_one_bit_and_grey() -> None:
    bits = Image.fromarray(np.eye(8, dtype=bool))
    for format in ("PNG", "TIFF", "BMP"):
        image = decode(saved(bits, format))
        assert (image.pixels == np.eye(8, dtype=np.uint8)[..., None] * 255).all()
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert (decode(saved(Image.fromarray(grey), "PNG")).pixels == grey[..., None]).all()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_high_byte(format: str) -> None:
    deep = np.arange(0, 65536, 64, dtype=np.uint16).reshape(32, 32)
    image = decode(saved(Image.fromarray(deep), format))
    assert image.facts.mode.startswith("I;16")
    assert (image.pixels == (deep >> 8).astype(np.uint8)[..., None]).all()


def test_sixteen_bit_rgb_keeps_its_high_byte() -> None:
    tifffile = pytest.importorskip("tifffile")
    deep = np.random.default_rng(0).integers(0, 65536, (20, 30, 3), dtype=np.uint16)
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, deep, photometric="rgb")
    image = decode(buffer.getvalue())
    assert np.abs(image.pixels.astype(int) - (deep >> 8)).max() <= 1


def test_float_tiffs_are_scaled_by_their_range() -> None:
    unit = np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16)
    for scale, shift in ((1, 0), (255, 0), (1000, -200)):
        image = decode(saved(Image.fromarray(unit * scale + shift), "TIFF"))
        assert image.facts.mode == "F"
        assert image.pixels.min() == 0
        assert image.pixels.max() == 255
    holes = unit.copy()
    holes[0, 0] = np.nan
    assert decode(saved(Image.fromarray(holes), "TIFF")).pixels[0, 0].tolist() == [0, 0, 0]


def test_integer_tiffs() -> None:
    for top, expected in ((200, 200), (65535, 255), (10**9, 255)):
        values = np.array([[0, top]], dtype=np.int32)
        assert decode(saved(Image.fromarray(values), "TIFF")).pixels[0, 1, 0] == expected


def test_cmyk_jpeg_equals_pillows_conversion(photo: np.ndarray) -> None:
    content = saved(Image.fromarray(photo).convert("CMYK"), "JPEG", quality=95)
    image = decode(content)
    assert image.facts.mode == "CMYK"
    np.testing.assert_array_equal(image.pixels, pillow_pixels(content))
    assert np.abs(image.pixels.astype(int) - photo).mean() < 6


def test_lab_tiff() -> None:
    lab = Image.new("LAB", (4, 4), (255, 128, 128))
    image = decode(saved(lab, "TIFF"))
    assert image.pixels.min() > 245


def test_first_frame_of_animations_and_pages(photo: np.ndarray) -> None:
    frames = [Image.fromarray(np.full((20, 20, 3), level, np.uint8)) for level in (40, 120, 200)]
    for format in ("GIF", "WEBP", "PNG", "TIFF", "AVIF"):
        options = {"lossless": True} if format == "WEBP" else {}
        content = saved(frames[0], format, save_all=True, append_images=frames[1:], **options)
        image = decode(content)
        assert image.facts.frames == 3, format
        assert np.abs(image.pixels.astype(int) - 40).max() <= 2, format


def test_colour_profile_is_named_and_changes_no_pixel(photo: np.ndarray) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    name = ImageCms.getProfileDescription(io.BytesIO(profile)).strip()
    for format in ("PNG", "JPEG", "WEBP", "AVIF", "TIFF"):
        plain = decode(saved(Image.fromarray(photo), format))
        tagged = decode(saved(Image.fromarray(photo), format, icc_profile=profile))
        np.testing.assert_array_equal(plain.pixels, tagged.pixels)
        assert plain.facts.colour_profile is None
        assert tagged.facts.colour_profile == name, format


def test_broken_profile_is_unnamed(photo: np.ndarray) -> None:
    content = saved(Image.fromarray(photo), "PNG", icc_profile=b"not a profile")
    assert decode(content).facts.colour_profile == "unnamed"


def test_sources_path_text_bytes_file(photo: np.ndarray, tmp_path: Path) -> None:
    content = encode(photo, "PNG")
    path = tmp_path / "wrong extension.jpg"
    path.write_bytes(content)
    with path.open("rb") as file:
        images = [decode(path), decode(str(path)), decode(content), decode(file)]
    for image in images:
        assert image.facts.format == "PNG"
        np.testing.assert_array_equal(image.pixels, photo)


def test_pixels_are_the_callers_own(photo: np.ndarray) -> None:
    content = encode(photo, "PNG")
    decode(content).pixels[:] = 0
    np.testing.assert_array_equal(decode(content).pixels, photo)


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_lossless_encoding_round_trips(photo: np.ndarray, format: str) -> None:
    options = {"lossless": True} if format == "WEBP" else {"compress_level": 1}
    np.testing.assert_array_equal(decode(encode(photo, format, **options)).pixels, photo)


def test_jpeg_encoding_takes_quality_and_subsampling(photo: np.ndarray) -> None:
    facts = decode(encode(photo, "jpg", quality=83, subsampling="4:4:4")).facts
    assert (facts.jpeg_quality, facts.jpeg_subsampling) == (83, "4:4:4")


@pytest.mark.parametrize("side", [1, 7, 16, 100])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {"quality": 75}),
        ("JPEG", {"quality": 100, "subsampling": "4:4:4"}),
        ("jpg", {"quality": 1, "subsampling": "4:2:2", "progressive": True}),
        ("WEBP", {"quality": 80}),
    ],
)
def test_encoding_again_is_encoding_and_decoding(
    photo: np.ndarray, format: str, options: dict[str, object], side: int
) -> None:
    pixels = np.ascontiguousarray(photo[:side, : 2 * side])
    again = encoded_again(pixels, format, **options)
    np.testing.assert_array_equal(again, decode(encode(pixels, format, **options)).pixels)
    assert again.dtype == np.uint8
    assert again.flags.writeable


@pytest.mark.parametrize(
    ("format", "options"),
    [("EPS", {}), ("JPEG", {"qualty": 3}), ("PNG", {"quality": 3}), ("JPEG", {"subsampling": "9"})],
)
def test_encoding_refuses_what_it_does_not_know(
    photo: np.ndarray, format: str, options: dict[str, object]
) -> None:
    with pytest.raises(UsageError):
        encode(photo, format, **options)


def test_encoding_refuses_other_pixels() -> None:
    with pytest.raises(UsageError, match="uint8"):
        encode(np.zeros((4, 4)), "PNG")
