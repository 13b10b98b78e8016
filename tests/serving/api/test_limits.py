"""Buckets, places and pixels, without a server."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from authentiscan.core.errors import BusyError
from authentiscan.images.decode import encode
from authentiscan.serving.api.limits import Admission, PixelRoom, Rates


def test_a_bucket_is_full_at_first_and_fills_evenly() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    rates.take("a", 60, 60)
    with pytest.raises(BusyError) as told:
        rates.take("a", 60, 10)
    assert told.value.retry_after == 10
    rates.take("b", 60, 1)
    now[0] = 10.0
    rates.take("a", 60, 10)
    now[0] = 1e9
    rates.take("a", 60, 60)
    with pytest.raises(BusyError):
        rates.take("a", 60, 1)


def test_a_request_of_more_than_a_minutes_share_empties_the_bucket_for_longer() -> None:
    now = [0.0]
    rates = Rates(lambda: now[0])
    rates.take("a", 60, 180)
    now[0] = 100.0
    with pytest.raises(BusyError):
        rates.take("a", 60, 1)
    now[0] = 122.0
    rates.take("a", 60, 1)


def test_a_place_is_left_when_the_request_and_its_work_have_ended() -> None:
    admission = Admission(1, 100)
    slot = admission.enter()
    slot.hold(60)
    work: Future[None] = slot.until(Future())
    slot.close()
    assert (admission.inside, admission.bytes) == (1, 60)
    with pytest.raises(BusyError):
        admission.enter()
    work.set_result(None)
    assert (admission.inside, admission.bytes) == (0, 0)
    admission.enter().close()


def test_bytes_of_all_requests_are_bounded() -> None:
    admission = Admission(5, 100)
    first, second = admission.enter(), admission.enter()
    first.hold(80)
    with pytest.raises(BusyError):
        second.hold(30)
    first.close()
    second.hold(30)
    assert admission.bytes == 30


def test_pixels_decoded_at_once_are_bounded_and_all_get_their_turn() -> None:
    room = PixelRoom(10_000)
    small, large = (encode(np.zeros((side, side, 3), np.uint8), "PNG") for side in (60, 100))
    unknown = encode(np.zeros((64, 64, 3), np.uint8), "AVIF")
    inside, most, lock = 0, 0, threading.Lock()

    def enter(content: bytes) -> None:
        nonlocal inside, most
        pixels = {small: 3600, b"no image": 0}.get(content, 10_000)
        with room.of(content):
            with lock:
                inside += pixels
                most = max(most, inside)
            with lock:
                inside -= pixels

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(enter, [small, small, large, unknown, small, b"no image"] * 20))
    assert most <= 10_000
    with room.of(large):
        pass
