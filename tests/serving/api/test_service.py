"""Keys, limits and a graceful end, on servers of their own."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from authentiscan.cli import app
from authentiscan.core.errors import OutputError, ServiceError
from authentiscan.serving.api.database import Database
from authentiscan.serving.api.judging import answers
from authentiscan.serving.api.keys import Keys
from authentiscan.serving.api.metrics import Metrics
from authentiscan.serving.api.service import running
from authentiscan.serving.api.settings import Settings
from live_server import TINY, Server, png, serving


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, dict[str, str]]]:
    """A server that wants keys and takes two requests at once; keys by name."""
    state = tmp_path_factory.mktemp("guarded") / "state"
    with Database(state) as database:
        keys = Keys(database)
        made = {name: keys.add(name) for name in ("a", "b", "gone")}
        made["slow"] = keys.add("slow", per_minute=6)
    with serving(state, "--keys", "on", "--queue", "2", "-w", "1") as server:
        yield server, made


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("path", ["/v1/models", "/v1/jobs", "/metrics"])
def test_without_a_valid_key_nothing_is_told(
    guarded: tuple[Server, dict[str, str]], path: str
) -> None:
    server, keys = guarded
    for headers in ({}, _bearer("wrong"), {"Authorization": "Basic ???"}, {"X-API-Key": "é"}):
        answer = server.http.get(path, headers=[(k, v.encode()) for k, v in headers.items()])
        assert (answer.status_code, answer.json()["kind"]) == (401, "AccessError")
        assert answer.headers["www-authenticate"] == "Bearer"
    for headers in (_bearer(keys["a"]), {"X-API-Key": keys["a"]}):
        assert server.http.get(path, headers=headers).status_code == 200
    assert server.http.get(path, auth=("anybody", keys["a"])).status_code == 200
    assert server.http.get("/healthz").status_code == 200


def test_a_key_is_asked_for_before_the_body_is_read(
    guarded: tuple[Server, dict[str, str]],
) -> None:
    server, _ = guarded
    assert server.post("/v1/scan", b"x" * 2**20).status_code == 401
    assert server.post("/v1/jobs", b"x" * 2**20).status_code == 401


def test_the_description_says_that_a_key_is_needed(
    guarded: tuple[Server, dict[str, str]], live: Server
) -> None:
    for server, wanted in ((guarded[0], True), (live, False)):
        scan = server.http.get("/openapi.json").json()["paths"]["/v1/scan"]["post"]
        assert ("security" in scan) is wanted


def test_a_revoked_key_is_refused_at_once(guarded: tuple[Server, dict[str, str]]) -> None:
    server, keys = guarded
    assert server.http.get("/v1/models", headers=_bearer(keys["gone"])).status_code == 200
    with Database(server.state) as database:
        Keys(database).revoke("gone")
    assert server.http.get("/v1/models", headers=_bearer(keys["gone"])).status_code == 401


def test_a_job_belongs_to_its_key(guarded: tuple[Server, dict[str, str]]) -> None:
    server, keys = guarded
    job = server.post("/v1/jobs", png(0), headers=_bearer(keys["a"])).json()["id"]
    assert server.http.get(f"/v1/jobs/{job}", headers=_bearer(keys["b"])).status_code == 404
    assert server.http.delete(f"/v1/jobs/{job}", headers=_bearer(keys["b"])).status_code == 404
    assert server.http.get("/v1/jobs", headers=_bearer(keys["b"])).json()["jobs"] == []
    assert server.http.get(f"/v1/jobs/{job}", headers=_bearer(keys["a"])).status_code == 200


def test_images_above_the_keys_limit_are_429(guarded: tuple[Server, dict[str, str]]) -> None:
    server, keys = guarded
    first = server.post("/v1/scan", *[png(0)] * 6, headers=_bearer(keys["slow"]))
    assert first.status_code == 200
    second = server.post("/v1/scan", png(0), headers=_bearer(keys["slow"]))
    assert (second.status_code, second.json()["kind"]) == (429, "BusyError")
    assert 1 <= int(second.headers["retry-after"]) <= 10
    assert server.post("/v1/scan", png(0), headers=_bearer(keys["a"])).status_code == 200


def test_more_requests_than_places_are_429_and_none_is_lost(
    guarded: tuple[Server, dict[str, str]],
) -> None:
    server, keys = guarded
    image = png(0, 900)

    def ask(_: int) -> httpx.Response:
        asked = {"stability": True}
        return server.post("/v1/scan", image, params=asked, headers=_bearer(keys["b"]))

    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(ask, range(12)))
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {200, 429}
    for answer in answers:
        if answer.status_code == 429:
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.json()["kind"] == "BusyError"
    assert server.post("/v1/scan", image, headers=_bearer(keys["b"])).status_code == 200


def test_the_log_names_the_key_and_never_shows_it(guarded: tuple[Server, dict[str, str]]) -> None:
    server, keys = guarded
    server.http.get("/v1/models", headers=_bearer(keys["a"]))
    assert {"a"} <= {line.get("key") for line in server.log()}
    text = server.log_text()
    assert not [name for name, key in keys.items() if key in text]


def test_a_stop_lets_requests_end_and_jobs_wait(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serving(state, "-w", "1") as server:
        job = server.post("/v1/jobs", *[png(i, 300) for i in range(20)],
                          params={"stability": True}).json()["id"]  # fmt: skip
        answers: list[httpx.Response] = []
        many = [png(seed, 300) for seed in range(8)]
        asked = threading.Thread(
            target=lambda: answers.append(
                server.post("/v1/scan", *many, params={"stability": True})
            )
        )
        asked.start()
        while "requests_inside 1" not in server.http.get("/metrics").text:
            pass
        assert server.stop() == 0
        asked.join(60)
        assert [answer.status_code for answer in answers] == [200]
        assert len(answers[0].json()["reports"]) == len(many)
        assert server.log()[-1]["event"] == "stopped"
    with Database(state) as database:
        (row,) = database.rows("SELECT * FROM jobs WHERE id=?", job)
        (waiting,) = database.rows("SELECT count(*) FROM contents")[0]
    assert row["failed"] == 0
    assert waiting == row["total"] - row["done"] > 0


@pytest.fixture
def _loggers() -> Iterator[None]:
    """Put back what the command changes in this process."""
    before = {name: logging.getLogger(name) for name in ("authentiscan", "uvicorn")}
    kept = {name: (log.handlers[:], log.propagate, log.level) for name, log in before.items()}
    yield
    for name, (handlers, propagate, level) in kept.items():
        before[name].handlers[:] = handlers
        before[name].propagate = propagate
        before[name].setLevel(level)


@pytest.mark.usefixtures("_loggers")
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--host", "192.0.2.1"], "cannot listen to 192.0.2.1 port 8000"),
        (["--host", "no such host"], "cannot listen to"),
        (["--bookmark", "--keys", "on"], "--bookmark is for a server on this machine alone"),
        (["--port", "0", "-m", "no-such-detector"], "no detector 'no-such-detector'"),
    ],
)
def test_what_cannot_be_served_is_told(options: list[str], told: str, tmp_path: Path) -> None:
    words = ["serve", "--state", str(tmp_path / "s"), "-m", str(TINY), *options]
    error = CliRunner().invoke(app, words).exception
    assert told in str(error)
    assert getattr(error, "exit_code", None) == 2


def test_two_servers_do_not_share_a_state(guarded: tuple[Server, dict[str, str]]) -> None:
    state = guarded[0].state
    with pytest.raises(OutputError, match="another command writes"), _running(state):
        pass


def test_what_takes_too_long_is_told_and_what_had_not_begun_never_does() -> None:
    gate, begun = threading.Event(), []

    def work(number: int) -> None:
        begun.append(number)
        gate.wait(30)

    async def ask() -> None:
        await answers(futures, asyncio.get_running_loop().time() + 0.05)

    with ThreadPoolExecutor(1) as pool:
        futures = [pool.submit(work, number) for number in range(3)]
        with pytest.raises(ServiceError, match="POST /v1/jobs"):
            asyncio.run(ask())
        gate.set()
    assert begun == [0]


def _running(state: Path):  # type: ignore[no-untyped-def]
    return running(Settings(state=state, models=(str(TINY),)), Metrics())
