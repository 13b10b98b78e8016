"""Videos in a process apart: frames and facts come through, and whatever breaks is an error."""

from __future__ import annotations

import io
import json
import os
import random
import signal
import struct
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

pytest.importorskip("av")

from authentiscan.core.errors import (
    CorruptImageError,
    DecodeError,
    ImageLimitError,
    MissingExtraError,
    UnreadableFileError,
    UnsupportedFormatError,
)
from authentiscan.images.video import Clip, VideoLimits, child, decoder, open_video
from video_samples import CODECS, sound, video


def numbers(clip: Clip) -> tuple[list[float], list[float]]:
    """Times, and mean levels of the pictures."""
    frames = list(clip.frames)
    return [f.seconds for f in frames], [float(f.image.pixels.mean()) for f in frames]


def test_frames_and_facts_come_through(tmp_path: Path) -> None:
    place = tmp_path / "clip"  # the name says nothing
    place.write_bytes(video())
    clip = open_video(place, 4)
    facts = clip.facts
    assert (facts.container, facts.codec, facts.width, facts.height) == ("MP4", "h264", 96, 64)
    assert facts.seconds == pytest.approx(2.0, abs=0.05)
    assert (facts.frame_rate, facts.frames, facts.bytes) == (25.0, 50, len(video()))
    times, levels = numbers(clip)
    assert times == pytest.approx([0.28, 0.76, 1.28, 1.76], abs=0.05)
    # Level 40 + i, and 11.5 of texture in the middle.
    assert levels == pytest.approx([51.5 + 25 * t for t in times], abs=4)
    assert clip.notes == []


def test_bytes_give_the_same_as_a_file() -> None:
    frame = next(open_video(video(), 1).frames)
    assert frame.image.pixels.shape == (64, 96, 3)
    assert frame.image.facts.format == "MP4"


def test_leaving_early_ends_the_decoder() -> None:
    own = {child.pid for child in psutil.Process().children()}  # of other tests in this process
    clip = open_video(video(), 4)
    next(clip.frames)
    assert {child.pid for child in psutil.Process().children()} - own
    clip.frames.close()
    assert not {child.pid for child in psutil.Process().children()} - own


def test_a_cut_file_gives_what_it_has(tmp_path: Path) -> None:
    data = video("matroska")
    clip = open_video(data[: len(data) // 2], 8)
    times, _ = numbers(clip)
    assert times
    assert times[-1] < 1.5


@pytest.mark.parametrize(
    ("data", "kind", "word"),
    [
        (b"", UnsupportedFormatError, "no kind of video"),
        (b"\x1aE\xdf\xa3" + b"\0" * 500, CorruptImageError, "cannot be read"),
        (b"\0\0\0\x14ftypisom\0\0\2\0isom" + b"\xff" * 500, CorruptImageError, "cannot be read"),
        (sound(), CorruptImageError, "no picture track"),
    ],
)
def test_what_is_no_video_is_an_error(data: bytes, kind: type[DecodeError], word: str) -> None:
    with pytest.raises(kind, match=word):
        open_video(data, 4)


def test_places_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="gone"):
        open_video(tmp_path / "gone.mp4", 4)


@pytest.mark.parametrize(
    ("limits", "word"),
    [({"bytes": 100}, "100 bytes"), ({"pixels": 1000}, "1,000 pixels"), ({"seconds": 0.001}, "s,")],
)
def test_limits_are_told(limits: dict[str, float], word: str) -> None:
    with pytest.raises(ImageLimitError, match=word):
        list(open_video(video(), 4, limits=VideoLimits(**limits)).frames)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authentiscan.images.video.reader.find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'authentiscan\[video\]'"):
        open_video(video(), 4)


# A decoder that was taken over by its file: every message is distrusted.

_GOOD = {"codec": "x", "width": 8, "height": 8}


@pytest.mark.parametrize(
    ("script", "word"),
    [
        ("os.kill(os.getpid(), 11)", "crashed"),
        ("pass", "ended early"),
        ("print('x' * 10_000_000)", "ended early"),
        ("print('[1]')", "ended early"),
        ("print(json.dumps({'facts': {'codec': 'x', 'width': -1, 'height': 8}}))", "cannot be"),
        ("print(json.dumps({'facts': {**GOOD, 'seconds': float('nan')}}))", "cannot be"),
        ("print(json.dumps({'facts': GOOD}))", "ended early"),
        ("print(json.dumps({'facts': GOOD, 'x': 1})); print('{\"damaged\": 3}')", "3 damaged"),
        ("say({'seconds': 0, 'key': True, 'size': [60000, 60000]})", "ended early"),
        ("say({'seconds': 0, 'key': True, 'size': [8, 8]}); print('short')", "ended early"),
        ("say({'seconds': '?', 'key': True, 'size': [8, 8]})", "cannot be"),
        ("time.sleep(60)", "within 1 s"),
        ("print(json.dumps({'error': '\\x1b[2J' + 'x' * 900}))", "cannot be read"),
    ],
)
def test_a_decoder_is_trusted_in_nothing(
    script: str, word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hostile.py").write_text(
        f"import json, os, time\nGOOD = {_GOOD!r}\n"
        "def say(frame):\n    print(json.dumps({'facts': GOOD}))\n"
        f"    print(json.dumps({{'frame': frame}}), flush=True)\n{script}\n"
    )
    monkeypatch.setattr(decoder, "_MODULE", "hostile")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    slow = 1.0 if "sleep" in script else 30.0
    with pytest.raises(DecodeError, match=word) as caught:
        list(open_video(video(), 4, limits=VideoLimits(seconds=slow)).frames)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_a_decoder_that_crashes_late_leaves_its_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "late.py").write_text(
        "import json, os, sys\n"
        f"print(json.dumps({{'facts': {_GOOD!r}}}))\n"
        "print(json.dumps({'frame': {'seconds': 1, 'key': False, 'size': [4, 2]}}), flush=True)\n"
        "sys.stdout.buffer.write(bytes(range(24))); sys.stdout.flush()\n"
        "os.kill(os.getpid(), 11)\n"
    )
    monkeypatch.setattr(decoder, "_MODULE", "late")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    clip = open_video(video(), 4)
    (frame,) = clip.frames
    assert frame.image.pixels.tolist() == np.arange(24).reshape(2, 4, 3).tolist()
    assert "after 1 frames" in clip.notes[0]
    assert "crashed" in clip.notes[0]


def test_the_decoders_process_is_confined(tmp_path: Path) -> None:
    """It may not take memory without end, nor write files; Python finds no module where it runs."""
    code = (
        "import resource, sys\n"
        "from authentiscan.images.video.child import _confine\n"
        "_confine({'seconds': 7, 'memory': 2**30})\n"
        "print(resource.getrlimit(resource.RLIMIT_CPU)[0], sys.path[0] == '')\n"
        "try:\n    bytearray(2**31)\nexcept MemoryError:\n    print('bounded')\n"
        f"file = open({str(tmp_path / 'x')!r}, 'wb', buffering=0)\n"
        "try:\n    file.write(b'x' * 10)\n"
        "except OSError as error:\n    print(error.strerror)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True,
                          check=True, env=decoder._environment())  # fmt: skip
    assert done.stdout.splitlines() == ["12 False", "bounded", "File too large"]


def test_what_the_child_says_in_this_process() -> None:
    target = io.BytesIO()
    child._read({"demuxer": "mov", "pixels": 10**6, "count": 2}, io.BytesIO(video()), target)
    first, _, rest = target.getvalue().partition(b"\n")
    assert json.loads(first)["facts"]["codec"] == "h264"
    line, _, pixels = rest.partition(b"\n")
    assert json.loads(line)["frame"]["size"] == [96, 64]
    assert pixels[64 * 96 * 3 :].startswith(b'{"frame": ')
    assert pixels.endswith(b'{"damaged": 0}\n')


def test_a_codec_that_is_not_on_the_list_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "CODECS", "vp8")
    target = io.BytesIO()
    with pytest.raises(ValueError, match="coded as h264, which is not read"):
        child._read({"demuxer": "mov", "pixels": 10**6, "count": 2}, io.BytesIO(video()), target)
    assert target.getvalue() == b""


def mutated(data: bytes, draw: random.Random) -> bytes:
    """``data`` with bytes changed, cut out, doubled or cut off; its first 16 stay."""
    found = bytearray(data)
    for _ in range(draw.choice((1, 3, 10, 100))):
        place = draw.randrange(16, len(found))
        way = draw.randrange(5)
        if way == 0:
            found[place] = draw.randrange(256)
        elif way == 1:
            found[place : place + 4] = struct.pack(">I", draw.choice((0, 1, 2**31, 2**32 - 1)))
        elif way == 2:
            del found[max(place, 100) : place + draw.randrange(1, 64)]
        elif way == 3:
            found[place:place] = found[place : place + draw.randrange(1, 64)]
        elif draw.random() < 0.2 and place > 200:
            del found[place:]
    return bytes(found)


def survive(container: str, seeds: range) -> None:
    """No mutated clip does more than fail in words, and none takes long."""
    for seed in seeds:
        data = mutated(video(container), random.Random(seed))
        started = time.monotonic()
        with suppress(DecodeError):
            clip = open_video(data, 4, limits=VideoLimits(seconds=20))
            assert len(list(clip.frames)) <= 4
        assert time.monotonic() - started < 60, (container, seed)


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_a_few_mutated_clips(container: str) -> None:
    survive(container, range(2))


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("container", CODECS)
def test_many_mutated_clips(container: str) -> None:
    survive(container, range(100, 160))


def test_a_hanging_decoder_leaves_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hang.py").write_text(
        f"import os, time\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n"
        "time.sleep(100)\n"
    )
    monkeypatch.setattr(decoder, "_MODULE", "hang")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ImageLimitError):
        open_video(video(), 4, limits=VideoLimits(seconds=3))
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGCONT)
