"""The walk as a whole: any bytes, mutated files, bounds; and the two who use it agree."""

from __future__ import annotations

import io
import time
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from authentiscan.core.errors import DecodeError, UnsupportedFormatError
from authentiscan.images.walk import ALLOWED, gather, looks_like_image, metadata, walk
from authentiscan.images.walk.record import MAX_PROBLEMS

XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'>some words</x:xmpmeta>"


def _files() -> dict[str, bytes]:
    """A small file of every container, with EXIF and XMP where Pillow writes them."""
    pixels = np.random.default_rng(1).integers(0, 256, (10, 14, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "words" * 20
    both = {"exif": exif.tobytes(), "xmp": XMP}
    files = {}
    for format, options in {
        "JPEG": both,
        "PNG": {"exif": exif.tobytes(), "icc_profile": b"p" * 200},
        "WEBP": both | {"lossless": True},
        "AVIF": both | {"speed": 10},
        "TIFF": {"tiffinfo": {270: "words" * 20, 700: XMP}},
        "GIF": {"comment": b"words"},
        "BMP": {},
    }.items():
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, format, **options)
        files[format] = buffer.getvalue()
    files["SVG"] = b"<svg xmlns='http://www.w3.org/2000/svg'>" + XMP + b"</svg>"
    item = b"\0\0\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"
    files["JXL"] = (
        bytes.fromhex("0000000c4a584c200d0a870a")
        + (8 + len(item)).to_bytes(4, "big")
        + b"Exif"
        + item
        + (8 + len(XMP)).to_bytes(4, "big")
        + b"xml "
        + XMP
    )
    return files


FILES = _files()


@pytest.mark.parametrize("format", sorted(FILES))
def test_whole_files_leave_no_problem(format: str) -> None:
    walked, found = walk(FILES[format]), metadata(FILES[format])
    assert (walked.format, found.format, found.problems) == (format, format, [])
    assert (walked.refusal is None) == (format in ALLOWED)
    assert looks_like_image(FILES[format][:64]) == (format in ALLOWED)
    assert bool(found.exif) == (format in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "JXL"))
    assert found.xmp == ([XMP] if format not in ("PNG", "GIF", "BMP") else [])
    if format in ALLOWED and format != "AVIF":
        assert (walked.width, walked.height) == (14, 10)


@pytest.mark.parametrize("format", sorted(FILES))
def test_gathering_leaves_the_walk_as_it_is(format: str) -> None:
    walked = walk(FILES[format])
    blocks, problems = list(walked.blocks), list(walked.problems)
    assert gather(walked) == gather(walked) == metadata(FILES[format])
    assert (walked.blocks, walked.problems) == (blocks, problems)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    seed = FILES[draw(st.sampled_from(sorted(FILES)))]
    content = bytearray(seed)
    place = st.integers(0, len(seed) - 1)
    for at, value in draw(st.lists(st.tuples(place, st.integers(0, 255)), max_size=10)):
        content[at] = value
    for at, count in draw(st.lists(st.tuples(place, st.integers(1, 60)), max_size=2)):
        piece = bytes(content[at : at + count])
        content[at : at + count] = draw(st.sampled_from([b"", piece * 2, b"\xff" * count]))
    return bytes(content[: draw(st.integers(0, len(content)))])


@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_no_bytes_break_the_walk(content: bytes) -> None:
    started = time.perf_counter()
    walked, found = walk(content), metadata(content)
    assert time.perf_counter() - started < 1
    assert walked.refusal is None or isinstance(walked.refusal, DecodeError)
    assert walked.format in (*FILES, "MPO", "HEIF", "MP4", "unknown")
    assert walked.width >= 0
    assert walked.height >= 0
    assert walked.frames >= 0
    assert walked.metadata >= 0
    assert len(found.problems) <= MAX_PROBLEMS
    # Nothing that was not in the file comes out of it.
    for block in walked.blocks:
        assert len(block.content) <= len(content)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from(sorted(FILES)))
def test_a_signature_and_noise(noise: bytes, format: str) -> None:
    for content in (noise, FILES[format][:16] + noise):
        metadata(content)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "AVIF", "SVG"]), st.floats(0.05, 0.95))
def test_a_file_cut_short_never_looks_whole(format: str, share: float) -> None:
    """Metadata that is not there any more was there: no claim must not mean could not look."""
    whole = metadata(FILES[format])
    cut = metadata(FILES[format][: max(1, int(share * len(FILES[format])))])
    assert (cut.exif, cut.xmp) == (whole.exif, whole.xmp) or cut.problems


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "AVIF", "TIFF"])
def test_walking_copies_and_unpacks_nothing(format: str) -> None:
    buffer = io.BytesIO()
    noise = np.random.default_rng(2).integers(0, 256, (400, 400, 3), dtype=np.uint8)
    options = {"speed": 10} if format == "AVIF" else {}
    Image.fromarray(noise).save(buffer, format, **options)
    content = buffer.getvalue()
    walk(content)
    tracemalloc.start()
    walk(content)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(content) / 3


def test_a_file_of_another_kind_is_not_passed_over_in_silence() -> None:
    for content, told in ((b"8BPS\0\1", "Photoshop"), (b"", "an empty file"), (b"\0" * 99, "zero")):
        (problem,) = metadata(content).problems
        assert problem.startswith("metadata was not looked for in")
        assert told in problem
        refusal = walk(content).refusal
        assert isinstance(refusal, UnsupportedFormatError)
        assert told in str(refusal)


def test_compressed_boxes_of_jpeg_xl_are_told() -> None:
    content = FILES["JXL"][:12] + (20).to_bytes(4, "big") + b"brobExif" + b"\x8b" * 8
    assert metadata(content).problems == ["box 'Exif' is Brotli-compressed and was not read"]
