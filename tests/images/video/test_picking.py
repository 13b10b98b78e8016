"""Frames spread over the clip, whatever its header claims and however far apart key frames are."""

from __future__ import annotations

import io
import struct

import pytest

pytest.importorskip("av")

import av

from authentiscan.images.video.picking import Picking
from video_samples import CODECS, video


def picked(data: bytes, count: int, demuxer: str | None = None) -> tuple[list[float], list[int]]:
    """Times and mean levels of the frames taken."""
    with av.open(io.BytesIO(data), format=demuxer) as container:
        picking = Picking(container, container.streams.video[0], count)
        found = list(picking.frames())
    levels = [round(float(f.to_ndarray(format="gray").mean())) for _, f in found]
    return [round(at, 2) for at, _ in found], levels


@pytest.mark.parametrize("container", CODECS)
def test_a_short_clip_gives_evenly_spread_frames(container: str) -> None:
    times, levels = picked(video(container), 5)
    assert times == pytest.approx([0.2, 0.6, 1.0, 1.4, 1.8], abs=0.05)
    assert levels == sorted(levels)
    assert levels[-1] - levels[0] > 25  # other pictures, not one five times


def test_a_clip_of_fewer_frames_gives_them_all_once() -> None:
    times, _ = picked(video(frames=3), 16)
    assert times == [0.0, 0.04, 0.08]


def test_one_frame_is_enough() -> None:
    assert len(picked(video(frames=1), 16)[0]) == 1


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi"])
def test_in_a_long_clip_key_frames_are_taken(container: str) -> None:
    data = video(container, frames=160, rate=5, gop=10)  # 32 s, a key frame every two
    times, _ = picked(data, 4)
    assert len(times) == 4
    assert all(t % 2 == pytest.approx(0, abs=0.01) for t in times)
    assert all(abs(t - wanted) <= 2.01 for t, wanted in zip(times, (4, 12, 20, 28), strict=True))


def test_where_key_frames_are_rare_frames_between_them_are_decoded() -> None:
    times, _ = picked(video(frames=160, rate=5, gop=160), 4)
    assert times[0] == 0.0  # the only key frame
    assert times[1:] == pytest.approx([12, 20, 28], abs=0.3)


@pytest.mark.parametrize("claim", [1, 10_000_000])
def test_a_false_length_in_the_header_changes_nothing(claim: int) -> None:
    data = bytearray(video())
    honest = picked(bytes(data), 5)
    for box, at in ((b"mvhd", 16), (b"mdhd", 16), (b"tkhd", 20)):
        place = data.index(box) + 4 + at
        struct.pack_into(">I", data, place, claim)
    assert picked(bytes(data), 5) == honest
