"""What a server says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from authentiscan.analysis import Report
from authentiscan.attribution import read_attributor
from authentiscan.attribution.attributor import find_attributor
from authentiscan.serving.api import described
from authentiscan.serving.api.schemas import Job
from live_server import Server, png

ROOT = Path(__file__).parents[3]


def test_the_schema_is_the_published_one(live: Server) -> None:
    published = json.loads((ROOT / "docs" / "report.schema.json").read_text())
    assert live.http.get("/v1/schema").json() == published


def test_models_say_their_thresholds_and_limits(live: Server) -> None:
    (model,) = live.http.get("/v1/models").json()["models"]
    assert (model["name"], model["default"]) == ("tiny", True)
    assert 0 < model["real_below"] <= model["generated_from"] < 1


def test_models_say_what_names_generators(live: Server) -> None:
    found = live.http.get("/v1/models").json()["attributor"]
    spec = read_attributor(find_attributor())
    assert found["sha256"] == spec.identity
    assert found["generators"] == list(spec.names)
    assert found["limits"] == list(spec.limits)


def test_probes_answer(live: Server) -> None:
    for path in ("/healthz", "/readyz", "/label-studio/health"):
        assert live.http.get(path).status_code == 200


def test_metrics_count_requests_and_verdicts(live: Server) -> None:
    def figure(name: str) -> float:
        lines = live.http.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))

    names = ('authentiscan_images_total{verdict="', "authentiscan_batch_crops_count")
    before = [figure(name) for name in names]
    live.post("/v1/scan", png(1), png(2), b"broken")
    after = [figure(name) for name in names]
    assert after[0] == before[0] + 3
    assert after[1] > before[1]
    assert figure("process_resident_memory_bytes") > 1e7
    assert figure("authentiscan_requests_inside") == 0


def test_every_answer_has_an_id_and_safe_headers(live: Server) -> None:
    answer = live.http.get("/healthz", headers={"X-Request-ID": "my.own-1"})
    assert answer.headers["x-request-id"] == "my.own-1"
    answer = live.http.get("/healthz", headers={"X-Request-ID": "no\tgood"})
    assert answer.headers["x-request-id"].isalnum()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/x", 404), ("PUT", "/v1/scan", 405)]
)
def test_what_is_not_there_is_a_problem(live: Server, method: str, path: str, status: int) -> None:
    answer = live.http.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/openapi.json" in answer.json()["detail"]


def test_pages_of_other_sites_and_other_names_are_turned_away(live: Server) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Host": "evil.example"},
    ):
        answer = live.post("/v1/scan", png(1), headers=headers)
        assert (answer.status_code, answer.json()["kind"]) == (403, "ForbiddenError"), headers
    own = {"Origin": "http://localhost:3000"}
    answer = live.post("/v1/scan", png(1), headers=own)
    assert answer.headers["access-control-allow-origin"] == own["Origin"]


def test_the_description_is_complete(live: Server) -> None:
    described = live.http.get("/openapi.json").json()
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            for status, answer in operation["responses"].items():
                assert answer["description"], (where, status)
                if status >= "400":
                    assert "application/problem+json" in answer["content"], (where, status)
            if method == "post" and path.startswith("/v1"):
                assert "429" in operation["responses"], where
    assert {
        "/v1/scan",
        "/v1/explain",
        "/v1/provenance",
        "/v1/jobs",
        "/v1/models",
        "/metrics",
    } <= set(described["paths"])


def test_the_examples_are_possible_answers() -> None:
    example = Report.model_validate(described.REPORT)
    assert example.path == "photo.jpg"
    assert example.attribution is not None
    assert set(described.REPORT) == set(json.loads(example.json_line()))
    assert Job.model_validate(described.JOB).total == 200
