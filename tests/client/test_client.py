"""Both clients against a running server: records back, errors as they would be here."""

from __future__ import annotations

import ast
import asyncio
import inspect
import re
from inspect import signature
from pathlib import Path

import httpx
import pytest

from authentiscan.analysis import Report, analyze
from authentiscan.client import AsyncClient, Client
from authentiscan.client.exchange import KEY
from authentiscan.core.errors import (
    AccessError,
    BusyError,
    CorruptImageError,
    ForbiddenError,
    NotThereError,
    ServiceError,
    UnreadableFileError,
    UnsupportedFormatError,
    UsageError,
)
from authentiscan.inference import load_detector
from live_server import TINY, Server, png

IMAGE = png(0)
Keyed = tuple[Server, str]


@pytest.fixture
def client(keyed: Keyed) -> Client:
    """The plain client."""
    return Client(keyed[0].address, key=keyed[1])


def test_an_image_gives_its_report(client: Client, tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    path.write_bytes(IMAGE)
    report = client.scan(path, stability=True)
    here = analyze(path, load_detector(TINY), stability=True)
    assert isinstance(report, Report)
    assert (report.path, report.verdict, report.reason) == ("photo.png", here.verdict, here.reason)
    assert report.score == pytest.approx(here.score, abs=1e-6)
    assert report.stability is not None
    assert client.scan(IMAGE, provenance=False).provenance is None


def test_many_images_go_on_past_a_broken_one(client: Client) -> None:
    reports = list(client.scan_many([IMAGE, b"no image", png(1)], model="tiny"))
    kinds = [report.error_kind for report in reports]
    assert kinds == [None, "UnsupportedFormatError", None]


def test_pictures_provenance_and_models(client: Client) -> None:
    assert client.explain(IMAGE, view=["overlay", "ela"], target="real")[:8] == b"\x89PNG\r\n\x1a\n"
    assert client.provenance(IMAGE).container == "PNG"
    assert [model.name for model in client.models()] == ["tiny"]


def test_a_job_from_its_making_to_its_end(client: Client) -> None:
    told: list[tuple[int, int]] = []
    job = client.submit([png(seed) for seed in range(4)])
    done = client.wait(job.id, every=0.05, progress=lambda *figures: told.append(figures))
    assert (done.done, done.total, told[-1]) == (4, 4, (4, 4))
    assert len(list(client.results(job.id))) == 4
    assert job.id in [one.id for one in client.jobs()]
    client.delete(job.id)
    with pytest.raises(NotThereError, match="no job"):
        client.job(job.id)


def test_errors_are_those_of_the_program(keyed: Keyed, client: Client, tmp_path: Path) -> None:
    server, _ = keyed
    for content, kind in ((b"no image", UnsupportedFormatError), (IMAGE[:99], CorruptImageError)):
        with pytest.raises(kind, match=r"\(request [0-9a-f]+\)"):
            client.scan(content)
    with pytest.raises(UnreadableFileError, match="does not exist"):
        client.scan(tmp_path / "none.png")
    with pytest.raises(UsageError, match="no images to send"):
        client.submit([])
    with pytest.raises(ForbiddenError, match="--webhook-host"):
        client.submit([IMAGE], webhook="http://example.org/")
    with pytest.raises(AccessError, match="is missing"):
        Client(server.address).models()
    with pytest.raises(ServiceError, match="cannot be reached"):
        Client("http://127.0.0.1:9").models()


def test_the_key_may_stand_in_the_environment(
    keyed: Keyed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, keyed[1])
    with Client(keyed[0].address) as client:
        assert client.models()


def _busy(times: int) -> tuple[list[str], httpx.MockTransport]:
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if len(asked) <= times:
            problem = {
                "title": "Too Many Requests", "status": 429, "detail": "busy",
                "kind": "BusyError", "request_id": "1",
            }  # fmt: skip
            return httpx.Response(429, json=problem, headers={"Retry-After": "0"})
        return httpx.Response(200, json={"models": [], "new_key_of_a_newer_server": 1})

    return asked, httpx.MockTransport(answer)


def test_a_busy_server_is_asked_again_as_often_as_allowed() -> None:
    asked, transport = _busy(3)
    assert Client("http://x", tries=3, transport=transport).models() == []
    assert len(asked) == 4
    asked, transport = _busy(3)
    with pytest.raises(BusyError, match="busy"):
        Client("http://x", tries=2, transport=transport).models()
    assert len(asked) == 3


def test_what_is_no_authentiscan_server_is_told() -> None:
    for status, body in ((200, "<html>"), (404, "<html>"), (200, "{}")):
        transport = httpx.MockTransport(lambda _, s=status, b=body: httpx.Response(s, text=b))
        with pytest.raises(ServiceError, match="authentiscan server"):
            Client("http://x", transport=transport).models()


def test_the_async_client_does_the_same(keyed: Keyed) -> None:
    async def ask() -> None:
        async with AsyncClient(keyed[0].address, key=keyed[1]) as client:
            reports = await asyncio.gather(*(client.scan(png(seed)) for seed in range(6)))
            assert [report.error for report in reports] == [None] * 6
            broken = [report async for report in client.scan_many([IMAGE, b"no image"])]
            assert broken[1].error_kind == "UnsupportedFormatError"
            assert (await client.explain(IMAGE)).startswith(b"\x89PNG")
            assert (await client.provenance(IMAGE)).container == "PNG"
            assert [model.name for model in await client.models()] == ["tiny"]
            job = await client.submit([IMAGE, png(1)])
            assert (await client.wait(job.id, every=0.05)).done == 2
            assert len([report async for report in client.results(job.id)]) == 2
            assert job.id in [one.id for one in await client.jobs()]
            await client.delete(job.id)
            with pytest.raises(NotThereError):
                await client.job(job.id)

    asyncio.run(ask())


def test_both_clients_have_the_same_methods_and_parameters() -> None:
    def shape(kind: type) -> dict[str, list[str]]:
        methods = {n: m for n, m in vars(kind).items() if inspect.isfunction(m) and n[0] != "_"}
        return {
            name: [str(p).partition("<function")[0] for p in signature(m).parameters.values()]
            for name, m in methods.items()
        }

    assert shape(Client) == shape(AsyncClient)


@pytest.mark.parametrize("number", [0, 1])
def test_the_guide_runs(
    number: int, keyed: Keyed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The snippets of docs/serve.md for the client, against this server."""
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(IMAGE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTHENTISCAN_API_KEY", keyed[1])
    guide = (Path(__file__).parents[2] / "docs/serve.md").read_text(encoding="utf-8")
    code = re.findall(r"```python\n(.*?)```", guide, flags=re.S)[number]
    code = re.sub(
        r'Client\("https://[^"]*"(?:, key="[^"]*")?', f'Client("{keyed[0].address}"', code
    )
    scope: dict[str, object] = {"asyncio": asyncio, "paths": ["a.jpg", "b.jpg"]}
    made = eval(compile(code, "serve.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT), scope)
    if inspect.isawaitable(made):
        asyncio.run(made)
        assert [report.path for report in scope["reports"]] == ["a.jpg", "b.jpg"]
    else:
        assert scope["report"].path == "b.jpg"
