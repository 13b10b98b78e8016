"""The likely generator over HTTP: requests, jobs, videos, the typed client; silence elsewhere."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from authentiscan.attribution.spec import write_attributor
from authentiscan.client import Client
from authentiscan.images.decode import encode
from conftest_attribution import always_generated, colour_graph, colour_spec
from live_server import TINY, Server, serving


def grainy(*colour: int) -> bytes:
    """A picture of one colour with some grain."""
    grain = np.random.default_rng(0).normal(0, 6, (96, 96, 3))
    return encode(np.clip(np.array(colour) + grain, 0, 255).astype(np.uint8), "PNG")


RED, GREEN, GREY = grainy(250, 0, 0), grainy(0, 250, 0), grainy(60, 60, 60)


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector that calls every image generated."""
    return always_generated(TINY, tmp_path_factory.mktemp("always") / "tiny")


@pytest.fixture(scope="module")
def naming(judge: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose attributor knows red and green pictures."""
    place = tmp_path_factory.mktemp("naming")
    folder = place / "colours"
    folder.mkdir()
    colour_graph(folder / "model.onnx")
    write_attributor(folder, colour_spec())
    with serving(place / "state", "--attributor", os.fspath(folder), model=judge) as server:
        yield server


def test_images_judged_generated_are_named(naming: Server) -> None:
    reports = naming.post("/v1/scan", RED, GREEN, GREY).json()["reports"]
    assert {report["verdict"] for report in reports} == {"generated"}
    assert [r["attribution"]["generator"] for r in reports] == ["red", "green", "unknown"]
    best = reports[0]["attribution"]["candidates"][0]
    assert (best["generator"], best["probability"] > 0.9) == ("red", True)
    assert reports[0]["timings"]["attribution_ms"] > 0
    (line,) = naming.post(
        "/v1/scan", RED, headers={"Accept": "application/x-ndjson"}
    ).text.splitlines()
    assert '"attribution":{"generator":"red"' in line


def test_jobs_and_the_typed_client_say_the_same(naming: Server, tmp_path: Path) -> None:
    with Client(naming.address) as client:
        report = client.scan(RED)
        assert report.attribution is not None
        assert report.attribution.generator == "red"
        assert report.attribution.sentence().startswith("likely generator: red")
        job = client.submit([RED, GREEN])
        client.wait(job.id, every=0.05)
        told = [r.attribution.generator for r in client.results(job.id) if r.attribution]
    assert told == ["red", "green"]


def test_a_video_is_named_by_its_frames(naming: Server) -> None:
    pytest.importorskip("av")
    from video_samples import video

    answer = naming.http.post("/v1/scan", files=[("file", ("a.mp4", video(size=(128, 96))))])
    (report,) = answer.json()["reports"]
    assert len(report["clip"]["frames"]) == 16
    assert report["attribution"]["crops"] >= 16
    assert report["attribution"]["model"]["name"] == "colours"


def test_models_tell_the_attributor(naming: Server) -> None:
    found = naming.http.get("/v1/models").json()["attributor"]
    assert (found["name"], found["generators"]) == ("colours", ["red", "green"])


def test_what_is_not_judged_generated_is_not_named(live: Server) -> None:
    (report,) = live.post("/v1/scan", GREY).json()["reports"]
    assert report["verdict"] != "generated"
    assert report["attribution"] is None
    assert "attribution_ms" not in report["timings"]


def test_it_can_be_switched_off(judge: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "state", "--attributor", "none", model=judge) as server:
        (report,) = server.post("/v1/scan", RED).json()["reports"]
        assert (report["verdict"], report["attribution"]) == ("generated", None)
        assert server.http.get("/v1/models").json()["attributor"] is None
