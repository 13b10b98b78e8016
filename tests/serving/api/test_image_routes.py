"""Images over HTTP: the same reports as from the program, errors with their own status."""

from __future__ import annotations

import http.client
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from PIL import Image
from typer.testing import CliRunner

from authentiscan.analysis import Report, analyze
from authentiscan.cli import app
from authentiscan.inference import load_detector
from live_server import TINY, Server, png

IMAGE = png(0)


def _without_figures(report: Report) -> dict[str, object]:
    """What does not depend on time, nor on the last bits of sums."""
    plain = report.model_dump(exclude={"timings", "score", "spread"})
    if plain["provenance"]:
        plain["provenance"]["milliseconds"] = 0
    for crop in plain["crops"]:
        del crop["score"]
    return plain


def test_a_report_is_the_one_that_analyze_gives(live: Server) -> None:
    answer = live.post("/v1/scan", IMAGE)
    assert answer.status_code == 200
    (told,) = answer.json()["reports"]
    here = analyze(IMAGE, load_detector(TINY), name="0.png")
    there = Report.model_validate(told)
    assert _without_figures(there) == _without_figures(here)
    scores = [[one.score, one.spread, *(c.score for c in one.crops)] for one in (here, there)]
    assert scores[0] == pytest.approx(scores[1], abs=1e-6)
    assert set(told["timings"]) == set(here.timings)


def test_many_images_come_back_in_order_and_each_has_its_own_error(live: Server) -> None:
    names = ["b.png", "broken.png", "a.png"]
    contents = [png(1), IMAGE[:200], png(2)]
    files = [("file", pair) for pair in zip(names, contents, strict=True)]
    reports = live.http.post("/v1/scan", files=files).json()["reports"]
    assert [report["path"] for report in reports] == names
    assert [report["error_kind"] for report in reports] == [None, "CorruptImageError", None]


def test_lines_are_those_of_the_command_line(live: Server) -> None:
    answer = live.post("/v1/scan", IMAGE, png(1), headers={"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    lines = answer.text.splitlines()
    assert [Report.model_validate_json(line).json_line() for line in lines] == lines


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (b"", 422, "EmptyFileError"),
        (b"%PDF-1.7 no image", 415, "UnsupportedFormatError"),
        (IMAGE[:300], 422, "CorruptImageError"),
    ],
)
def test_a_single_image_that_cannot_be_judged_has_the_errors_status(
    live: Server, content: bytes, status: int, kind: str
) -> None:
    for path in ("/v1/scan", "/v1/explain"):
        answer = live.post(path, content)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        told = answer.json()
        assert (told["status"], told["kind"]) == (status, kind)
        assert told["request_id"] == answer.headers["x-request-id"]


def _archive() -> bytes:
    with zipfile.ZipFile(held := io.BytesIO(), "w") as archive:
        archive.writestr("a.jpg", IMAGE)
    return held.getvalue()


_HUGE = struct.pack(">I4sIIBBBBB", 13, b"IHDR", 20000, 15000, 8, 2, 0, 0, 0)
_HUGE = b"\x89PNG\r\n\x1a\n" + _HUGE + struct.pack(">I", zlib.crc32(_HUGE[4:])) + b"\0" * 64


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        (_archive(), 415, "UnsupportedFormatError"),
        (_HUGE, 413, "ImageLimitError"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "UnsupportedFormatError"),
    ],
)
def test_hostile_uploads_under_hostile_names_leave_a_reason_only(
    live: Server, content: bytes, status: int, kind: str
) -> None:
    head = 'Content-Disposition: form-data; name="file"; filename="../../\x1b[31mprivate\x07.jpg"'
    body = b"--b\r\n" + head.encode() + b"\r\n\r\n" + content + b"\r\n--b--\r\n"
    headers = {"Content-Type": "multipart/form-data; boundary=b", "X-Request-ID": f"hostile-{kind}"}
    answer = live.http.post("/v1/scan", headers=headers, content=body)
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["kind"]) == (status, kind)
    assert "private" not in live.log_text()
    assert "\x1b" not in live.log_text()


def test_stability_is_asked_for_by_a_parameter(live: Server) -> None:
    asked = {"stability": "true", "provenance": "false"}
    (report,) = live.post("/v1/scan", png(3), params=asked).json()["reports"]
    assert len(report["stability"]["trials"]) == 5
    assert report["provenance"] is None


@pytest.mark.parametrize("view", [["overlay"], ["all"]])
def test_an_explanation_is_a_picture_with_its_verdict(live: Server, view: list[str]) -> None:
    answer = live.post("/v1/explain", IMAGE, params={"view": view, "opacity": 0.7})
    assert answer.status_code == 200
    picture = Image.open(io.BytesIO(answer.content))
    assert picture.format == "PNG"
    assert picture.width > 2 * 72
    report = live.post("/v1/scan", IMAGE).json()["reports"][0]
    assert answer.headers["x-authentiscan-verdict"] == report["verdict"]
    assert float(answer.headers["x-authentiscan-score"]) == pytest.approx(report["score"], abs=1e-5)


def test_provenance_has_the_keys_of_the_command_line(
    live: Server, sign: Callable[..., bytes], tmp_path: Path
) -> None:
    picture = tmp_path / "0.png"
    source = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    actions = [{"action": "c2pa.created", "digitalSourceType": source}]
    picture.write_bytes(sign(IMAGE, "image/png", actions))
    (found,) = live.post("/v1/provenance", picture.read_bytes()).json()["files"]
    shown = CliRunner().invoke(app, ["provenance", str(picture), "--json"])
    assert found.keys() - {"error_kind"} == json.loads(shown.stdout).keys()
    assert found["c2pa"] == "untrusted"
    assert found["container"] == "PNG"
    assert found["path"] == "0.png"
    assert live.post("/v1/provenance", b"").status_code == 422


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Content-Type": "application/json"}, b"{}", 415),
        ({}, b"x", 415),
        ({"Content-Type": "multipart/form-data"}, b"x", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"no boundary", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b\r\n\r\n", 400),
        ({"Content-Type": "multipart/form-data; boundary=b"}, b"--b--\r\n", 400),
    ],
)
def test_bodies_that_are_no_images_are_refused_in_words(
    live: Server, headers: dict[str, str], body: bytes, status: int
) -> None:
    answer = live.http.post("/v1/scan", headers=headers, content=body)
    assert answer.status_code == status, answer.text
    assert "file" in answer.json()["detail"]


def test_an_unknown_field_or_detector_is_told(live: Server) -> None:
    answer = live.post("/v1/scan", IMAGE, data={"stabilty": "1"})
    assert (answer.status_code, "stabilty" in answer.text) == (400, True)
    answer = live.post("/v1/scan", IMAGE, params={"model": "other"})
    assert (answer.status_code, "known are: tiny" in answer.text) == (404, True)


def test_a_body_over_the_limit_is_refused_while_it_comes(live: Server) -> None:
    sent = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal sent
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="x"\r\n\r\n'
        for _ in range(300):  # as if it went on for ever
            sent += 2**20
            yield bytes(2**20)

    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    try:
        answer = live.http.post("/v1/scan", headers=headers, content=endless())
        assert (answer.status_code, answer.json()["kind"]) == (413, "BodyLimitError")
    except httpx.TransportError:  # the connection was closed in the middle
        pass
    assert sent < 100 * 2**20


def test_a_body_that_announces_too_much_is_refused_before_it_comes(live: Server) -> None:
    connection = http.client.HTTPConnection(live.address.removeprefix("http://"), timeout=60)
    connection.putrequest("POST", "/v1/scan")
    connection.putheader("Content-Type", "multipart/form-data; boundary=b")
    connection.putheader("Content-Length", str(2**40))
    connection.endheaders()
    answer = connection.getresponse()
    assert (answer.status, json.load(answer)["kind"]) == (413, "BodyLimitError")
    assert answer.getheader("connection") == "close"
    connection.close()


def test_too_many_images_are_refused(live: Server) -> None:
    answer = live.post("/v1/scan", *[b"x"] * 65)
    assert (answer.status_code, answer.json()["kind"]) == (413, "BodyLimitError")


def test_neither_names_nor_content_stand_in_the_log(live: Server) -> None:
    secret = "very-private-name.png"
    live.http.post("/v1/scan", files=[("file", (secret, IMAGE))], headers={"X-Request-ID": "abc-1"})
    live.http.get("/v1/scan/very-private-name")
    lines = [line for line in live.log() if line.get("request_id") == "abc-1"]
    (line,) = lines
    assert (line["route"], line["status"], line["images"]) == ("/v1/scan", 200, 1)
    assert "very-private" not in json.dumps(live.log())
    assert "127.0.0.1" not in json.dumps(live.log())
