"""Label Studio's backend: suggestions named like the verdicts, images from one place only."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from authentiscan.core.errors import ForbiddenError, ServiceError, UsageError
from authentiscan.serving.api.label_studio import TOKEN, fetch, read_labels
from live_server import Server, png

IMAGE = png(0)
CONFIG = """<View><Image name="picture" value="$photo"/><Header value="x"/>
<Choices name="origin" toName="picture"><Choice value="Generated"/><Choice value="Real"/>
<Choice value="inconclusive"/></Choices></View>"""


def _task(address: object, field: str = "photo") -> dict[str, object]:
    return {"id": 1, "data": {field: address}, "annotations": []}


INLINE = "data:image/png;base64," + base64.b64encode(IMAGE).decode()


def test_a_verdict_becomes_the_choice_of_its_name(live: Server) -> None:
    asked = {"tasks": [_task(INLINE), _task("data:,no image"), _task(7)], "label_config": CONFIG}
    answer = live.http.post("/label-studio/predict", json={**asked, "project": "1.2"})
    assert answer.status_code == 200, answer.text
    first, second, third = answer.json()["results"]
    report = live.post("/v1/scan", IMAGE).json()["reports"][0]
    (suggested,) = first["result"]
    assert suggested["value"]["choices"] == [report["verdict"].capitalize()]
    assert (suggested["from_name"], suggested["to_name"]) == ("origin", "picture")
    assert first["score"] == pytest.approx(max(report["score"], 1 - report["score"]), abs=1e-6)
    assert first["model_version"] == "tiny 1"
    assert second["result"] == third["result"] == []


def test_what_connecting_asks_is_answered(live: Server) -> None:
    assert live.http.get("/label-studio/health").json()["status"] == "UP"
    told = live.http.post("/label-studio/setup", json={"project": "1", "access_token": "x"})
    assert told.json() == {"model_version": "tiny 1"}


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b'{"tasks": 1}', b'{"tasks": [], "label_config": "<"}',
        b'{"tasks": [{"id": true}]}',
    ],
)  # fmt: skip
def test_other_requests_are_refused(live: Server, body: bytes) -> None:
    answer = live.http.post("/label-studio/predict", content=body)
    assert answer.status_code == 400, answer.text


def test_labels_are_read_from_the_interface() -> None:
    labels = read_labels(CONFIG)
    assert labels is not None
    assert (labels.field, labels.name, labels.to_name) == ("photo", "origin", "picture")
    assert labels.choices["real"] == "Real"
    assert read_labels("") is None
    assert read_labels('<View><Choices name="a" toName="b"/></View>') is None
    with pytest.raises(UsageError, match="document type"):
        read_labels('<!DOCTYPE a [<!ENTITY b "cc">]><View>&b;</View>')


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[tuple[str, list[str | None]]]:
    """A server with one image; the tokens that it was sent."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    tokens: list[str | None] = []

    class Images(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            tokens.append(self.headers["Authorization"])
            self.send_response(200 if self.path == "/data/a.png?d=1" else 302)
            self.send_header("Location", "http://127.0.0.1:1/")
            self.end_headers()
            self.wfile.write(IMAGE)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Images)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", tokens
    server.shutdown()
    server.server_close()


def test_images_come_from_the_named_label_studio_only(
    studio: tuple[str, list[str | None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    place, tokens = studio
    monkeypatch.setenv(TOKEN, "secret")
    assert fetch("/data/a.png?d=1", place, 10**6) == IMAGE
    assert fetch(f"{place}/data/a.png?d=1", place, 100) == IMAGE[:101]
    assert tokens == ["Token secret"] * 2
    with pytest.raises(ServiceError, match="302"):
        fetch("/elsewhere", place, 10**6)
    others = [
        "http://127.0.0.1:1/a.png",
        "https://example.org/a.png",
        "//example.org/a",
        "file:///a",
    ]
    for other in others:
        with pytest.raises(ForbiddenError):
            fetch(other, place, 10**6)
    with pytest.raises(ForbiddenError, match="--label-studio"):
        fetch("/data/a.png", None, 10**6)
    with pytest.raises(UsageError):
        fetch("data:image/png;base64,%%%", place, 10**6)
    assert len(tokens) == 3
