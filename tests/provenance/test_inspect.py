"""Hostile and odd files: no exception, no hang, no flood of memory, whatever the bytes."""

from __future__ import annotations

import struct
import sys
import time
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authentiscan.images.decode import decode_walked
from authentiscan.images.walk import metadata as blocks
from authentiscan.images.walk import tiff
from authentiscan.images.walk.metadata import MAX_BLOCKS, MAX_TOTAL
from authentiscan.provenance import Claim, Provenance, State, inspect

PNG = b"\x89PNG\r\n\x1a\n"
HEADS = [
    PNG,
    PNG + b"\0\0\0\rIHDR",
    b"\xff\xd8\xff\xe1",
    b"RIFF\0\0\0\0WEBP",
    b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    b"II*\0\x08\0\0\0",
    b"MM\0*\0\0\0\x08",
    b"GIF89a",
    b"<svg ",
    bytes.fromhex("0000000c4a584c200d0a870a"),
    b"",
]


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + b"\0\0\0\0"


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(HEADS), st.binary(max_size=600))
def test_any_bytes_give_an_answer(head: bytes, tail: bytes) -> None:
    found = inspect(head + tail)
    assert isinstance(found, Provenance)
    assert found.c2pa is not State.TRUSTED


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_altered_files_give_an_answer(data: st.DataObject, make: Callable[..., bytes]) -> None:
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF"]))
    whole = make(kind, comment="hello") if kind == "GIF" else make(kind, exif={271: "A", 272: "B"})
    altered = bytearray(whole)
    for at, value in data.draw(
        st.lists(st.tuples(st.integers(0, len(whole) - 1), st.integers(0, 255)), max_size=12)
    ):
        altered[at] = value
    inspect(bytes(altered[: data.draw(st.integers(0, len(altered)))]))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("JPEG", "JPEG"),
        ("PNG", "PNG"),
        ("WEBP", "WEBP"),
        ("TIFF", "TIFF"),
        ("GIF", "GIF"),
        ("AVIF", "AVIF"),
    ],
)
def test_containers_are_known(kind: str, name: str, make: Callable[..., bytes]) -> None:
    found = inspect(make(kind))
    assert (found.container, found.claim, found.notes) == (name, Claim.NONE, ())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF"])
def test_the_walk_of_the_decoder_tells_the_same(kind: str, make: Callable[..., bytes]) -> None:
    content = make(kind, exif={271: "Sony", 272: "ILCE-7M4", 33434: 0.01, 33437: 4.0})
    _, walked = decode_walked(content)
    changing = {"milliseconds"}
    for _ in range(2):
        found = inspect(content, walked=walked)
        assert found.model_dump(exclude=changing) == inspect(content).model_dump(exclude=changing)


def test_avif_items_are_found(make: Callable[..., bytes]) -> None:
    exif = {271: "Sony", 272: "ILCE-7M4", 33434: 0.01, 33437: 4.0}
    assert inspect(make("AVIF", exif=exif)).claim is Claim.CAMERA


def test_text_after_the_pixels_is_read(make: Callable[..., bytes]) -> None:
    whole = make("PNG")
    text = chunk(b"tEXt", b"Software\0NovelAI")
    assert inspect(whole[:-12] + text + whole[-12:]).claim is Claim.AI_GENERATED


def test_imagemagick_profiles_are_read(make: Callable[..., bytes]) -> None:
    block = b"\x1c\x02\x41\x00\x0dAdobe Firefly"
    profile = f"\niptc\n{len(block):8}\n{block.hex()}\n"
    found = inspect(make("PNG", texts={"Raw profile type iptc": profile}))
    assert found.claim is Claim.AI_GENERATED


def test_extended_xmp_is_joined(make: Callable[..., bytes]) -> None:
    packet = (
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax'
        b'-ns#"><rdf:Description xmlns:I="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        b'I:DigitalSourceType="trainedAlgorithmicMedia"/></rdf:RDF></x:xmpmeta>'
    )
    whole, parts = make("JPEG"), []
    for at in (100, 0):
        part = packet[at : at + 100] if at == 0 else packet[at:]
        body = b"http://ns.adobe.com/xmp/extension/\0" + b"G" * 32
        body += struct.pack(">II", len(packet), at) + part
        parts.append(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
    assert inspect(whole[:2] + b"".join(parts) + whole[2:]).claim is Claim.AI_GENERATED


def test_text_bombs_are_refused() -> None:
    bomb = zlib.compress(b"A" * (64 * 2**20), 9)
    data = PNG + chunk(b"zTXt", b"parameters\0\0" + bomb) + chunk(b"IEND", b"")
    tracemalloc.start()
    found = inspect(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert any("unpacks to over" in note for note in found.notes)
    assert peak < 64 * 2**20


def test_many_parts_end_early() -> None:
    data = PNG + chunk(b"tEXt", b"k\0v") * 20_000
    started = time.thread_time()
    found = inspect(data)
    assert time.thread_time() - started < 3
    assert any(str(MAX_BLOCKS) in note for note in found.notes)


def test_metadata_in_total_is_bounded() -> None:
    text = b"k\0" + b"v" * (7 * 2**20)
    held = blocks(PNG + chunk(b"tEXt", text) * 10)
    assert sum(len(t.value) for t in held.texts) <= MAX_TOTAL
    assert any("metadata over" in problem for problem in held.problems)


def test_directories_that_circle_end() -> None:
    entry = struct.pack("<HHII", 330, 4, 1, 8)
    data = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 1) + entry + struct.pack("<I", 8)
    assert len(list(tiff.tags(data))) == 1


def test_huge_counts_are_not_believed() -> None:
    entry = struct.pack("<HHII", 270, 2, 0xFFFFFFFF, 8)
    data = b"II*\0" + struct.pack("<I", 8) + struct.pack("<H", 0xFFFF) + entry
    assert list(tiff.tags(data)) == []


def test_controls_and_endless_texts_are_cleaned(make: Callable[..., bytes]) -> None:
    text = "\x1b[31m" + "x" * 5000 + "\nSteps: 1, Sampler: \x07a, Seed: 2"
    (finding,) = inspect(make("PNG", texts={"parameters": text})).findings
    assert all(len(v) <= 500 and v.isprintable() for v in finding.details.values())


def test_room_stays_light() -> None:
    import subprocess

    code = (
        "import sys, authentiscan.provenance\n"
        "assert not {'torch', 'PIL', 'numpy', 'c2pa', 'onnxruntime'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
