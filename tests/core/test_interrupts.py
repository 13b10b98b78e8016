"""A signal that comes in the middle of a step takes effect after it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from authentiscan.core.interrupts import uninterrupted


def raising(number: int, _frame: object) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@pytest.fixture(params=[signal.SIGINT, signal.SIGTERM])
def sign(request: pytest.FixtureRequest):
    before = signal.signal(request.param, raising)
    yield request.param
    signal.signal(request.param, before)


def test_the_step_is_finished_before_the_signal_takes_effect(sign):
    done = []

    def step():
        with uninterrupted():
            os.kill(os.getpid(), sign)
            done.append("the rest of the step")

    with pytest.raises(KeyboardInterrupt, match=sign.name):
        step()
    assert done == ["the rest of the step"]
    assert signal.getsignal(sign) is raising


def test_the_handlers_are_back_after_an_error_of_the_step(sign):
    with pytest.raises(ValueError, match="mine"), uninterrupted():
        raise ValueError("mine")
    assert signal.getsignal(sign) is raising


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_change_nothing(sign):
    seen = []

    def work():
        with uninterrupted():
            seen.append(signal.getsignal(sign))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [raising]
