"""Videos are told by their first bytes, and still images are none."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("av")

from authentiscan.images.decode import encode
from authentiscan.images.video import container_of
from authentiscan.images.video.containers import HEAD
from video_samples import CODECS, sound, video


@pytest.mark.parametrize("container", CODECS)
def test_a_video_is_known_by_its_beginning(container: str) -> None:
    found = container_of(video(container)[:HEAD])
    assert found is not None
    names = {"mp4": "MP4", "mov": "QuickTime", "mpegts": "MPEG-TS", "webm": "Matroska"}
    assert found.name.lower() == names.get(container, container).lower()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF"])
def test_an_image_is_no_video(kind: str) -> None:
    assert container_of(encode(np.zeros((32, 32, 3), np.uint8), kind)[:HEAD]) is None


@pytest.mark.parametrize(
    ("head", "name"),
    [
        (b"\0\0\0\x14ftypM4A \0\0\0\0", None),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", None),
        (b"\0\0\0\x143gp4", None),
        (b"\0\0\0\x14ftyp3gp4\0\0\0\0", "3GP"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "QuickTime"),
        (b"\0\0\0\0" + b"G" + b"\0" * 191 + b"G", "MPEG-TS"),
        (b"0&\xb2u\x8ef\xcf\x11", "WMV"),
        (b"G", None),
        (b"#EXTM3U\nhttp://localhost/", None),
        (b"ffconcat version 1.0", None),
        (b"", None),
    ],
)
def test_heads(head: bytes, name: str | None) -> None:
    found = container_of(head)
    assert (found.name if found else None) == name


def test_a_sound_file_in_a_videos_container_passes_for_a_video_here() -> None:
    assert container_of(sound()[:HEAD]) is not None  # reading it tells that it has no picture
