"""Concurrent callers share calls of the network, and each gets its own logits."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from authentiscan.core.errors import ServiceError
from authentiscan.inference import load_detector
from authentiscan.serving.api.batching import BatchingBackend, batched
from live_server import TINY, png


class Network:
    """Sums of crops as logits; waits at a gate, and remembers its calls."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.calls: list[int] = []

    def logits(self, tensor):  # type: ignore[no-untyped-def]
        self.calls.append(len(tensor))
        self.gate.wait(30)
        if np.isnan(tensor).any():
            raise ValueError("broken")
        return tensor.sum((1, 2, 3)).astype(np.float32)

    def explain(self, tensor, target):  # type: ignore[no-untyped-def]
        return self.logits(tensor), tensor[:, 0]


def _crops(*values: float) -> np.ndarray:
    return np.stack([np.full((3, 2, 2), value, np.float32) for value in values])


def test_callers_that_wait_together_share_a_call() -> None:
    network, seen = Network(), []
    backend = BatchingBackend(network, most=8, runners=1, seen=lambda *call: seen.append(call))
    with ThreadPoolExecutor(7) as pool:
        answers = [pool.submit(backend.logits, _crops(i, i + 1, i + 2)) for i in range(7)]
        while backend._waiting + sum(network.calls) < 21:  # the first call may have taken several
            time.sleep(0.001)
        network.gate.set()
        for i, answer in enumerate(answers):
            assert answer.result(30) == pytest.approx([12 * i, 12 * i + 12, 12 * i + 24])
    assert max(network.calls) == 8
    assert sum(network.calls) == 21
    assert len(network.calls) <= 4
    assert max(callers for _, callers in seen) >= 3
    backend.close()


def test_one_caller_is_spread_over_idle_runners() -> None:
    network = Network()
    network.gate.set()
    backend = BatchingBackend(network, most=8, runners=2)
    while backend._idle < 2:
        pass
    assert backend.logits(_crops(*range(6))) == pytest.approx([12 * i for i in range(6)])
    assert sum(network.calls) == 6
    assert len(network.calls) >= 2
    backend.close()


def test_an_error_reaches_those_who_asked_and_no_other() -> None:
    network = Network()
    network.gate.set()
    backend = BatchingBackend(network, most=1, runners=1)
    with pytest.raises(ValueError, match="broken"):
        backend.logits(_crops(float("nan"), 1.0))
    assert backend.logits(_crops(1.0)) == pytest.approx([12])
    backend.close()
    with pytest.raises(ServiceError, match="stopping"):
        backend.logits(_crops(1.0))


def test_a_batched_detector_gives_the_scores_of_the_plain_one() -> None:
    plain = load_detector(TINY, threads=1)
    made: list[BatchingBackend] = []

    def behind(backend, most):  # type: ignore[no-untyped-def]
        made.append(BatchingBackend(backend, most=min(6, most), runners=2))
        return made[-1]

    together = batched(plain, behind)
    images = [png(seed, 150) for seed in range(16)]
    with ThreadPoolExecutor(8) as pool:
        scores = [one.score for one in pool.map(together.predict, images)]
    assert scores == pytest.approx([plain.predict(image).score for image in images], abs=1e-6)
    for backend in made:
        backend.close()
