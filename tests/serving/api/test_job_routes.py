"""Jobs: nothing is lost, not by kill -9, and nothing is done twice."""

from __future__ import annotations

import hmac
import json
import sqlite3
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from authentiscan.serving.api.database import FILE
from authentiscan.serving.api.webhooks import SIGNATURE
from live_server import Server, png, serving


def test_a_job_gives_the_reports_of_scan(live: Server) -> None:
    contents = [png(seed) for seed in range(5)] + [b"no image"]
    made = live.post("/v1/jobs", *contents)
    assert made.status_code == 202
    job = made.json()
    assert (job["total"], job["webhook_secret"]) == (6, None)
    assert made.headers["location"] == f"/v1/jobs/{job['id']}"
    done = live.finished(job["id"])
    assert done["done"] == 6
    assert done["counts"]["failed"] == 1
    assert sum(done["counts"].values()) == 6
    reports = live.http.get(f"/v1/jobs/{job['id']}/results").json()["reports"]
    scanned = live.post("/v1/scan", *contents).json()["reports"]
    for one, other in zip(reports, scanned, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=1e-6)
        assert [one[k] for k in ("path", "verdict", "error")] == [
            other[k] for k in ("path", "verdict", "error")
        ]


def test_results_come_in_pages_or_lines(live: Server) -> None:
    job = live.post("/v1/jobs", *[png(seed) for seed in range(3)]).json()["id"]
    live.finished(job)
    place = f"/v1/jobs/{job}/results"
    first = live.http.get(place, params={"limit": 2}).json()
    rest = live.http.get(place, params={"limit": 2, "after": first["next"]}).json()
    assert [len(first["reports"]), len(rest["reports"]), rest["next"]] == [2, 1, None]
    lines = live.http.get(place, headers={"Accept": "application/x-ndjson"}).text.splitlines()
    assert [json.loads(line)["path"] for line in lines] == ["0.png", "1.png", "2.png"]


def test_a_deleted_job_is_gone(live: Server) -> None:
    job = live.post("/v1/jobs", png(0)).json()["id"]
    assert job in [one["id"] for one in live.http.get("/v1/jobs").json()["jobs"]]
    assert live.http.delete(f"/v1/jobs/{job}").status_code == 204
    for path in (f"/v1/jobs/{job}", f"/v1/jobs/{job}/results"):
        assert live.http.get(path).status_code == 404
    assert live.http.delete(f"/v1/jobs/{job}").status_code == 404


def test_jobs_without_images_or_with_strange_fields_are_refused(live: Server) -> None:
    empty = live.http.post("/v1/jobs", files={"webhook": (None, "http://127.0.0.1/x")})
    assert empty.status_code in (400, 403)
    strange = live.post("/v1/jobs", png(0), data={"colour": "red"})
    assert strange.status_code == 400
    told = live.post("/v1/jobs", png(0), data={"webhook": "http://127.0.0.1/x"})
    assert (told.status_code, "--webhook-host" in told.text) == (403, True)
    kept = live.http.get("/metrics").text
    assert 'authentiscan_jobs{status="receiving"}' not in kept


class _Heard(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.headers[SIGNATURE], body))  # type: ignore[attr-defined]
        self.send_response(200 if len(self.server.heard) > 1 else 500)  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def listener() -> Iterator[HTTPServer]:
    """A server that answers 500 at first, then 200, and keeps what it heard."""
    server = HTTPServer(("127.0.0.1", 0), _Heard)
    server.heard = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_kill_9_in_the_middle_loses_nothing(tmp_path: Path, listener: HTTPServer) -> None:
    """The webhook, first answered by 500, is told by the server that took over."""
    state, number = tmp_path / "state", 16
    options = ("-w", "1", "--webhook-host", "127.0.0.1")
    address = f"http://127.0.0.1:{listener.server_port}/done"
    contents = [png(seed, 140) for seed in range(number)]
    asked = {"params": {"stability": "true"}, "data": {"webhook": address}}
    with serving(state, *options) as server:
        made = server.post("/v1/jobs", *contents, **asked).json()
        place = f"/v1/jobs/{made['id']}"
        while not server.http.get(place).json()["done"] >= 2:
            pass
        server.kill()
    with sqlite3.connect(state / FILE) as database:
        query = "SELECT count(*), count(report), (SELECT count(*) FROM contents) FROM items"
        total, reported, images = database.execute(query).fetchone()
    assert total == number
    assert 2 <= reported < number, "killed too late to mean anything"
    assert images == total - reported  # each image has its report or its bytes
    with serving(state, *options) as server:
        done = server.finished(made["id"])
        assert sum(done["counts"].values()) == done["done"] == number
        reports = server.http.get(f"{place}/results").json()["reports"]
        assert [report["path"] for report in reports] == [f"{i}.png" for i in range(number)]
        assert all(report["error"] is None for report in reports)
        while server.http.get(place).json()["told"] != "told":
            pass
        assert server.stop() == 0
    heard = listener.heard  # type: ignore[attr-defined]
    assert len(heard) == 2
    signature, body = heard[-1]
    digest = hmac.new(made["webhook_secret"].encode(), body, "sha256").hexdigest()
    assert signature == f"sha256={digest}"
    assert json.loads(body)["job"]["counts"] == done["counts"]
    # What was judged is nowhere in the files any more.
    left = b"".join(path.read_bytes() for path in state.glob(f"{FILE}*"))
    assert not [i for i, content in enumerate(contents) if content[100:400] in left]
