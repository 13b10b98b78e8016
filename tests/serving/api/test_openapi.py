"""The description against the server: requests made from it by chance, answers held against it."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import (
    negative_data_rejection,
    positive_data_acceptance,
)

from live_server import Server, png

IMAGES = [png(0), png(1), b"", b"no image", png(2)[:150]]
ROUNDS = int(os.environ.get("AUTHENTISCAN_API_ROUNDS", "200"))


@pytest.fixture(scope="module")
def described(live: Server) -> Any:
    """The server's own description."""
    return schemathesis.openapi.from_url(f"{live.address}/openapi.json")


def _tried(schema: Any, rounds: int) -> dict[str, set[int]]:
    """Statuses by operation, after so many requests of each, all held against the description."""
    operations = [result.ok() for result in schema.get_all_operations()]
    return {
        operation.label: _asked(operation, rounds, mode)
        for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE)
        for operation in operations
    }


def _asked(operation: Any, rounds: int, mode: GenerationMode) -> set[int]:
    """Negative: what breaks the description; positive: what follows it, with real images."""
    statuses: set[int] = set()

    @settings(
        max_examples=rounds,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy(generation_mode=mode), image=st.sampled_from(IMAGES))
    def ask(case: Any, image: bytes) -> None:
        body = case.body if isinstance(case.body, dict) else {}
        if mode is GenerationMode.POSITIVE and "file" in body:
            case.body = {**body, "file": [image] if isinstance(body["file"], list) else image}
        answer = case.call()
        statuses.add(answer.status_code)
        # A form has no types: whatever breaks the type of a file is a file of other bytes.
        excluded = [negative_data_rejection] if "file" in body else []
        if "label_config" in body:  # XML, which a JSON schema cannot say
            excluded.append(positive_data_acceptance)
        case.validate_response(answer, excluded_checks=excluded)

    with suppress(Unsatisfiable):  # a route without parameters has nothing to break
        ask()
    return statuses


def test_answers_are_as_described(described: Any) -> None:
    seen = _tried(described, 8)
    assert len(seen) >= 14
    for label, statuses in seen.items():
        assert not {s for s in statuses if s >= 500}, label
    assert 200 in seen["POST /v1/scan"]
    assert 202 in seen["POST /v1/jobs"]


@pytest.mark.slow
def test_answers_are_as_described_for_longer(described: Any) -> None:
    _tried(described, ROUNDS)
