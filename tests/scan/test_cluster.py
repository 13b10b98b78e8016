"""A scan on a Ray cluster of two nodes on this machine, one of which is lost while it works."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from authentiscan.core.errors import OutputError, WorkerError
from authentiscan.images.decode import encode
from authentiscan.inference import Detector, load_detector
from authentiscan.scan import Options, find, parts
from authentiscan.scan.cluster import on_ray
from authentiscan.scan.parts import Judge, PartsFolder, made_by, on_this_machine, parts_of

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
OPTIONS = Options()


@pytest.fixture(scope="module")
def detector(tiny_bundle: Path) -> Detector:
    return load_detector(tiny_bundle, threads=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, photos: dict[str, np.ndarray]) -> Path:
    folder = tmp_path_factory.mktemp("images")
    for name, pixels in photos.items():
        for number in range(30):
            content = encode(pixels[number : number + 200, :220], "JPEG", quality=90)
            (folder / f"{name}-{number:02d}.jpg").write_bytes(content)
    (folder / "broken.png").write_bytes(b"")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A head that judges nothing, and two nodes with one processor each."""
    ray = pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_worker_niceness", "0")  # else workers starve beside other tests
        head = {"num_cpus": 0, "object_store_memory": 100 * 2**20}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        yield cluster
        ray.shutdown()  # an address that nobody answers leaves a connection half made
        cluster.shutdown()
    logging.getLogger("ray").handlers.clear()


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART_IMAGES", 4)


def rows_of(place: Path) -> list[dict[str, Any]]:
    def without_times(row: dict[str, Any]) -> dict[str, Any]:
        report = json.loads(row["report"])
        del report["timings"]
        if report["provenance"]:
            del report["provenance"]["milliseconds"]
        return {k: v for k, v in row.items() if not k.endswith("_ms")} | {"report": report}

    return [without_times(row) for row in pq.read_table(place).to_pylist()]


def test_two_nodes_give_the_rows_of_one_machine_though_one_is_lost(
    cluster: Any,
    small_parts: None,
    folder: Path,
    tmp_path: Path,
    detector: Detector,
    tiny_bundle: Path,
) -> None:
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20) for _ in range(2)]
    cluster.wait_for_nodes()
    near, far = PartsFolder(str(tmp_path / "near")), PartsFolder(str(tmp_path / "far"))
    maker = made_by(detector, OPTIONS)
    whole = list(
        on_this_machine(parts_of(find([str(folder)]), maker), Judge(detector, OPTIONS, near))
    )
    killed = threading.Event()

    def kill_one() -> None:
        while not list((tmp_path / "far").glob("*.parquet")):
            time.sleep(0.05)
        cluster.remove_node(nodes[0], allow_graceful=False)
        killed.set()

    thread = threading.Thread(target=kill_one, daemon=True)
    thread.start()
    found = parts_of(find([str(folder)]), maker)
    done = list(on_ray(found, tiny_bundle, OPTIONS, far, address=cluster.address))
    thread.join(60)
    assert killed.is_set()
    assert sorted(d.number for d in done) == [d.number for d in whole]
    assert rows_of(tmp_path / "far") == rows_of(tmp_path / "near")
    again = parts_of(find([str(folder)]), maker)
    kept = list(on_ray(again, tiny_bundle, OPTIONS, far, address=cluster.address, workers=1))
    assert all(d.kept for d in kept)
    assert len(kept) == len(whole)


def test_a_place_that_cannot_be_written_ends_the_scan(
    cluster: Any, small_parts: None, folder: Path, tmp_path: Path, tiny_bundle: Path
) -> None:
    cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
    (tmp_path / "file").write_text("")
    out = PartsFolder(str(tmp_path / "file" / "out"))
    found = parts_of(find([str(folder)]), "x")
    with pytest.raises(OutputError, match="a part of the path is a file"):
        list(on_ray(found, tiny_bundle, OPTIONS, out, address=cluster.address))


def test_no_cluster_there_is_told(tmp_path: Path, tiny_bundle: Path) -> None:
    out = PartsFolder(str(tmp_path))
    with pytest.raises(WorkerError, match=r"no Ray cluster at 127.0.0.1:1"):
        list(on_ray([], tiny_bundle, OPTIONS, out, address="127.0.0.1:1"))
