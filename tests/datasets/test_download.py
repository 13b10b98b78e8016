"""Downloads by the real clients, from a local server that speaks enough of the protocols."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from authentiscan.core.errors import DatasetError, UsageError
from authentiscan.datasets.catalog import CATALOG
from authentiscan.datasets.download import fetch, manual_steps, presence
from authentiscan.datasets.inputs import Input
from authentiscan.datasets.organize import organize
from catalog_samples import sample

CIFAKE = CATALOG["cifake"]
COMMIT = "c" * 40


@dataclass
class Files:
    """What the server hands out, and what it was asked."""

    content: dict[str, bytes]
    stated: dict[str, str] = field(default_factory=dict)  # file -> SHA-256 it claims
    cut_after: int | None = None  # bytes after which the first transfer breaks off
    ranges: list[str] = field(default_factory=list)
    authorization: list[str | None] = field(default_factory=list)


class Handler(BaseHTTPRequestHandler):
    files: Files

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.files.authorization.append(self.headers.get("Authorization"))
        if self.path.endswith("/GetDataset"):
            self.send_json({"currentVersionNumber": 3})
        elif self.path.endswith("/DownloadDataset"):
            self.send_response(302)
            self.send_header("Location", "/storage/archive.zip")
            self.end_headers()
        else:
            self.send_error(404)

    def answer(self, *, body: bool) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/datasets/"):
            self.send_json(self.listing(tree="/tree/" in path))
        elif (name := path.rsplit("/", 1)[-1]) in self.files.content:
            self.send_file(name, body=body)
        else:
            self.send_error(404)

    def listing(self, *, tree: bool) -> object:
        entries = []
        for name, data in self.files.content.items():
            digest = self.files.stated.get(name, hashlib.sha256(data).hexdigest())
            lfs = {"oid": digest, "sha256": digest, "size": len(data), "pointerSize": 130}
            shared = {"size": len(data), "lfs": lfs}
            if tree:
                entries.append({"type": "file", "path": name, "oid": digest[:40], **shared})
            else:
                entries.append({"rfilename": name, "blobId": digest[:40], **shared})
        if tree:
            return entries
        name = "yanbax/CIFAKE_autotrain_compatible"
        return {"id": name, "sha": COMMIT, "siblings": entries, "private": False, "tags": []}

    def send_json(self, value: object) -> None:
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def send_file(self, name: str, *, body: bool) -> None:
        data, start = self.files.content[name], 0
        asked = self.headers.get("Range", "")
        if body and asked.startswith("bytes=") and asked != "bytes=0-":
            self.files.ranges.append(asked)
            start = int(asked.removeprefix("bytes=").split("-")[0])
        self.send_response(206 if start else 200)
        digest = self.files.stated.get(name, hashlib.sha256(data).hexdigest())
        md5 = base64.b64encode(hashlib.md5(data).digest()).decode()
        for key, value in {
            "Content-Length": str(len(data) - start),
            "Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}" if start else "",
            "Accept-Ranges": "bytes",
            "ETag": f'"{digest}"',
            "X-Linked-Etag": f'"{digest}"',
            "X-Linked-Size": str(len(data)),
            "X-Repo-Commit": COMMIT,
            "x-goog-hash": f"md5={self.files.stated.get('md5', md5)}",
        }.items():
            if value:
                self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        if self.files.cut_after is not None:
            data, self.files.cut_after = data[: self.files.cut_after], None
            self.close_connection = True
        self.wfile.write(data[start:])


@pytest.fixture
def server(tmp_path: Path, photos: dict[str, np.ndarray]) -> Iterator[tuple[Files, str]]:
    source = sample("cifake", tmp_path / "published", photos)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as out:
        for path in sorted(source.rglob("*.jpg")):
            out.write(path, path.relative_to(source))
        out.writestr("train/REAL/notes.txt", np.random.default_rng(0).bytes(12_000_000))
    files = Files({"train.zip": buffer.getvalue(), "archive.zip": buffer.getvalue()})
    handler = type("Bound", (Handler,), {"files": files})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield files, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def hub(server: tuple[Files, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Files:
    files, url = server
    files.content.pop("archive.zip")
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    return files


@pytest.fixture
def kaggle(server: tuple[Files, str], monkeypatch: pytest.MonkeyPatch) -> Files:
    """Kaggle's client, its own address table pointed at this machine."""
    from kagglesdk import kaggle_env

    files, url = server
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.LOCAL, url)
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-test-token")
    return files


def no_credentials(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLE_CONFIG_DIR", str(home))
    monkeypatch.setenv("HOME", str(home))


def test_hub_download_organizes(hub: Files, tmp_path: Path) -> None:
    folder = fetch(CIFAKE, tmp_path / "cifake", "hub")
    assert (folder / "train.zip").read_bytes() == hub.content["train.zip"]
    assert presence(CIFAKE, folder).startswith("yes")
    made = organize([Input(folder, layout="cifake")], tmp_path / "m.parquet", processes=1)
    assert made.rows == 12
    assert set(made.manifest().column("dataset")) == {"cifake"}


def test_hub_download_resumes(hub: Files, tmp_path: Path) -> None:
    hub.cut_after = 11_500_000  # the clients write 1 and 10 MiB at a time
    folder = tmp_path / "cifake"
    try:  # some versions of the client go on at once, some leave it to the next call
        fetch(CIFAKE, folder, "hub")
    except DatasetError:
        fetch(CIFAKE, folder, "hub")
    assert (folder / "train.zip").read_bytes() == hub.content["train.zip"]
    assert hub.ranges == [f"bytes={10 * 2**20}-"]


def test_hub_file_with_a_wrong_checksum_is_refused_and_removed(hub: Files, tmp_path: Path) -> None:
    hub.stated["train.zip"] = "0" * 64
    with pytest.raises(DatasetError, match="does not match its checksum"):
        fetch(CIFAKE, tmp_path / "cifake", "hub")
    assert not (tmp_path / "cifake" / "train.zip").exists()
    assert not (tmp_path / "cifake" / ".authentiscan-download.json").exists()


def test_hub_out_of_reach_names_the_manual_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(
        DatasetError, match=r"could not be fetched from hub(.|\n)*By hand:\n1\. Open"
    ):
        fetch(CIFAKE, tmp_path / "cifake", "hub")


def test_kaggle_download_unpacks_with_the_users_token(kaggle: Files, tmp_path: Path) -> None:
    folder = fetch(CIFAKE, tmp_path / "cifake", "kaggle")
    assert len(list(folder.rglob("*.jpg"))) == 12
    assert not (folder / ".kagglehub").exists()
    assert "Bearer a-test-token" in kaggle.authorization
    assert presence(CIFAKE, folder) == "yes, 12 images"
    asked = len(kaggle.authorization)
    assert fetch(CIFAKE, folder, "kaggle") == folder  # there already: nothing is asked again
    assert len(kaggle.authorization) == asked
    assert organize([folder], tmp_path / "m.parquet", processes=1).rows == 12


def test_kaggle_download_resumes(kaggle: Files, tmp_path: Path) -> None:
    kaggle.cut_after = 11_500_000  # the clients write 1 and 10 MiB at a time
    folder = tmp_path / "cifake"
    with pytest.raises(DatasetError, match="could not be fetched from kaggle"):
        fetch(CIFAKE, folder, "kaggle")
    fetch(CIFAKE, folder, "kaggle")
    assert kaggle.ranges == [f"bytes={10 * 2**20}-"]
    assert len(list(folder.rglob("*.jpg"))) == 12


def test_kaggle_archive_with_a_wrong_checksum_is_refused(kaggle: Files, tmp_path: Path) -> None:
    kaggle.stated["md5"] = base64.b64encode(bytes(16)).decode()
    with pytest.raises(DatasetError, match="MD5 checksum"):
        fetch(CIFAKE, tmp_path / "cifake", "kaggle")


def test_no_credentials_names_the_ways(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    no_credentials(monkeypatch, tmp_path)
    with pytest.raises(
        DatasetError, match=r"no Kaggle credentials.*KAGGLE_API_TOKEN(.|\n)*By hand"
    ):
        fetch(CATALOG["faces"], tmp_path / "faces")
    with pytest.raises(DatasetError, match="no Kaggle credentials"):
        fetch(CIFAKE, tmp_path / "cifake", "kaggle")


def test_without_credentials_cifake_comes_from_the_hub(
    hub: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_credentials(monkeypatch, tmp_path)
    folder = fetch(CIFAKE, tmp_path / "cifake")
    assert (folder / "train.zip").is_file()


def test_wrong_source_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="faces is not at 'hub'; it is at: kaggle"):
        fetch(CATALOG["faces"], tmp_path, "hub")


@pytest.mark.parametrize("name", [n for n, e in CATALOG.items() if e.manual])
def test_manual_steps_name_the_folder(name: str, tmp_path: Path) -> None:
    text = manual_steps(CATALOG[name], tmp_path / name)
    assert str(tmp_path / name) in text
    assert "{" not in text


def test_presence(tmp_path: Path, photos: dict[str, np.ndarray]) -> None:
    assert presence(CIFAKE, tmp_path / "nowhere") == "no"
    sample("cifake", tmp_path / "cifake", photos)
    assert presence(CIFAKE, tmp_path / "cifake") == "yes"
    assert presence(CATALOG["genimage"], tmp_path / "cifake") == "no: other images"
