"""Webhooks: allowed hosts only, given up after a while."""

from __future__ import annotations

from pathlib import Path

import pytest

from authentiscan.analysis.report import Report
from authentiscan.core.errors import ForbiddenError, UsageError
from authentiscan.serving.api.database import Database
from authentiscan.serving.api.jobs import JobStore, Wanted
from authentiscan.serving.api.webhooks import WAITS, Teller, checked


def test_only_allowed_hosts_are_told() -> None:
    allowed = {"hooks.example", "127.0.0.1"}
    for address in ("https://hooks.example/a?b=c", "http://127.0.0.1:8080"):
        assert checked(address, allowed) == address
    for address in ("https://evil.example/", "http://169.254.169.254/", "http://localhost/"):
        with pytest.raises(ForbiddenError, match=r"allowed hosts: 127\.0\.0\.1, hooks\.example"):
            checked(address, allowed)
    for address in (
        "ftp://hooks.example/", "hooks.example", "", "http://", "http://hooks.example:x/",
        "http://hooks.example/a b", "http://hooks.example/\r\nX: 1", "http://u:p@hooks.example/",
        "http://[", "https://hooks.example/" + "a" * 2000,
    ):  # fmt: skip
        with pytest.raises(UsageError):
            checked(address, allowed)


def test_an_address_that_does_not_answer_is_given_up(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = JobStore(database, most_bytes=100, most_jobs=2, keep_seconds=60)
        job = store.begin(Wanted("", "tiny"))
        store.set_webhook(job, "http://127.0.0.1:9/closed")
        store.add(job, 0, "a", b"x")
        assert store.accept(job).webhook_secret
        item = store.next(())
        assert item is not None
        store.finish(item, Report(path="a", verdict="real", score=0.0))
        assert store.get(job, "").webhook_secret is None
        teller = Teller(store, {"127.0.0.1"})
        now = 4e9
        for wait in WAITS:
            teller.round(now)
            assert store.get(job, "").told == "pending"
            teller.round(now + wait - 1)  # too early: not tried
            now += wait
        teller.round(now)
        assert store.get(job, "").told == "failed"
        assert store.due_webhooks(now + 1e6) == []


def test_a_host_that_is_no_longer_allowed_is_not_told(tmp_path: Path) -> None:
    with Database(tmp_path) as database:
        store = JobStore(database, most_bytes=100, most_jobs=2, keep_seconds=60)
        job = store.begin(Wanted("", "tiny"))
        store.set_webhook(job, "http://127.0.0.1:9/")
        store.add(job, 0, "a", b"x")
        store.accept(job)
        item = store.next(())
        assert item is not None
        store.finish(item, Report(path="a", verdict="real", score=0.0))
        Teller(store, ()).round(4e9)
        assert store.get(job, "").told == "pending"
