"""The store of jobs, without a server."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from authentiscan.analysis.report import Report
from authentiscan.core.errors import BusyError, NotThereError
from authentiscan.serving.api.database import FILE, Database
from authentiscan.serving.api.jobs import JobStore, Wanted

WANTED = Wanted("me", "tiny", stability=True)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database."""
    with Database(tmp_path) as made:
        yield made


def _store(database: Database, most_bytes: int = 1000, most_jobs: int = 3) -> JobStore:
    return JobStore(database, most_bytes=most_bytes, most_jobs=most_jobs, keep_seconds=60)


def _job(store: JobStore, *contents: bytes) -> str:
    job = store.begin(WANTED)
    for number, content in enumerate(contents):
        store.add(job, number, f"{number}.png", content)
    return store.accept(job).id


def _report(path: str) -> Report:
    return Report(path=path, verdict="real", score=0.1)


def test_an_image_leaves_when_its_report_comes(database: Database, tmp_path: Path) -> None:
    store = _store(database)
    job = _job(store, b"first image", b"second image")
    first = store.next(())
    second = store.next({first.id}) if first else None
    assert first is not None
    assert second is not None
    assert store.next({first.id, second.id}) is None
    assert (first.content, second.content, first.wanted) == (
        b"first image",
        b"second image",
        WANTED,
    )
    assert store.get(job, "me").status == "running"
    assert store.finish(second, _report("1.png")) is False
    assert store.results(job, 0, 10) == ([], None)  # never with a gap
    assert store.finish(first, _report("0.png")) is True
    assert store.finish(first, _report("0.png")) is False
    assert [Report.model_validate_json(text).path for text in store.results(job, 0, 10)[0]] == [
        "0.png", "1.png",
    ]  # fmt: skip
    found = store.get(job, "me")
    assert (found.status, found.done, found.counts.real) == ("finished", 2, 2)
    for path in tmp_path.glob(f"{FILE}*"):
        assert b"second image" not in path.read_bytes()


def test_what_was_begun_and_not_finished_is_tried_again_and_counted(database: Database) -> None:
    store = _store(database)
    _job(store, b"x")
    tries = [item.tries for item in (store.next(()) for _ in range(3)) if item]
    assert tries == [0, 1, 2]


def test_a_job_that_was_not_received_whole_is_forgotten(database: Database) -> None:
    store = _store(database)
    job = store.begin(WANTED)
    store.add(job, 0, "a", b"x" * 900)
    assert store.next(()) is None
    with pytest.raises(NotThereError):
        store.get(job, "me")
    again = _store(database)
    assert again.counts() == {}
    _job(again, b"x" * 900)


def test_bytes_and_jobs_are_bounded(database: Database) -> None:
    store = _store(database, most_bytes=10, most_jobs=2)
    job = store.begin(WANTED)
    store.add(job, 0, "a", b"123456")
    with pytest.raises(BusyError, match="wait in jobs"):
        store.add(job, 1, "b", b"123456")
    store.drop(job)
    _job(store, b"123456")
    assert _store(database, most_bytes=10)._held == 6
    store.begin(WANTED)
    with pytest.raises(BusyError, match="jobs are kept"):
        store.begin(WANTED)


def test_finished_jobs_go_after_their_time(database: Database) -> None:
    store = _store(database)
    job = _job(store, b"x")
    waiting = _job(store, b"y")
    item = store.next(())
    assert item is not None
    store.finish(item, _report("0.png"))
    store.expire(now=time.time() + 30)
    assert store.get(job, "me").keep_until is not None
    store.expire(now=time.time() + 90)
    assert [found.id for found in store.all("me")] == [waiting]


def test_a_job_deleted_while_it_is_judged_stays_deleted(database: Database) -> None:
    store = _store(database)
    job = _job(store, b"x", b"y")
    item = store.next(())
    assert item is not None
    store.remove(job, "me")
    assert store.finish(item, _report("0.png")) is False
    assert store.next(()) is None
    assert store.waiting() == 0
    with pytest.raises(NotThereError):
        store.remove(job, "me")
