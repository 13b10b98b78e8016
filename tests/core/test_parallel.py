"""Work on many items at once ends well, whatever happens to the workers."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from authentiscan.core.errors import AuthentiscanError, MissingExtraError, WorkerError
from authentiscan.core.parallel import Room, in_processes, in_threads
from authentiscan.core.watchdog import watched, watching


def threads(items: Any, work: Callable[[Any], Any], **options: Any) -> Iterator[Any]:
    return in_threads(items, work, 3, Room(6), **options)


def processes(items: Any, work: Callable[[Any], Any], **options: Any) -> Iterator[Any]:
    return in_processes(items, work, 2, **options)


def here(items: Any, work: Callable[[Any], Any], **options: Any) -> Iterator[Any]:
    return in_processes(items, work, 1, **options)


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers import the functions of this file by its name."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


BOTH = pytest.mark.parametrize("run", [threads, processes])


def slow_first(number: int) -> int:
    time.sleep(0.2 if number == 0 else 0.0)
    return number * number


def big(content: bytes) -> tuple[int, int]:
    return len(content), os.getpid()


def fails(number: int) -> int:
    if number == 3:
        raise MissingExtraError("this", "data")  # its arguments do not survive being sent
    return number


def dies(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def waits(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@pytest.mark.parametrize("run", [threads, processes, here])
def test_results_come_in_order(run: Callable[..., Iterator[Any]]) -> None:
    assert list(run(range(40), slow_first)) == [n * n for n in range(40)]
    assert list(run([], slow_first)) == []


@BOTH
def test_few_items_are_drawn_ahead(run: Callable[..., Iterator[Any]]) -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(1000):
            drawn.append(number)
            yield number

    results = run(items(), slow_first)
    for count in range(1, 30):
        next(results)
        assert len(drawn) <= count + 8
    results.close()  # type: ignore[attr-defined]
    assert len(drawn) < 50


def test_weight_bounds_what_is_held() -> None:
    held: list[int] = []
    lock = threading.Lock()

    def items() -> Iterator[bytes]:
        for _ in range(30):
            with lock:
                held.append(40)
            yield b"x" * 40

    def work(item: bytes) -> int:
        return len(item)

    most = 0
    for made in in_threads(items(), work, 4, Room(100, weight=100, weigh=len)):
        with lock:
            held.remove(made)
            most = max(most, sum(held))
    assert most <= 200  # two that fit, one that is drawn and waits, one that was just given


def test_large_items_go_to_other_processes() -> None:
    made = list(in_processes([b"x" * 2_000_000] * 6, big, 2))
    assert {size for size, _ in made} == {2_000_000}
    assert os.getpid() not in {process for _, process in made}


@BOTH
def test_an_error_of_the_work_comes_in_its_turn(run: Callable[..., Iterator[Any]]) -> None:
    results = run(range(10), fails)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(AuthentiscanError, match="this needs the 'data' extra"):
        next(results)


@BOTH
def test_an_error_of_the_items_is_raised(run: Callable[..., Iterator[Any]]) -> None:
    def items() -> Iterator[int]:
        yield 1
        raise ValueError("broken list")

    with pytest.raises(ValueError, match="broken list"):
        list(run(items(), slow_first))


def test_a_worker_that_is_killed_is_an_error_at_once() -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with pytest.raises(
        WorkerError, match=r"was ended by SIGKILL; memory may have run out"
    ) as found:
        list(in_processes(range(50), dies, 2))
    assert found.value.exit_code == 2
    assert _workers() <= before


def test_a_worker_that_cannot_begin_is_an_error_too(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from authentiscan.core.parallel import in_processes\n"
        "from authentiscan.core.errors import WorkerError\n"
        "try:\n    print(list(in_processes(range(9), abs, 2)))\n"
        "except WorkerError as error:\n    print(error)\n"
    )
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=60
    )
    assert "worker process" in ended.stdout
    assert "__main__" in ended.stdout


def test_stopping_early_ends_workers_at_once() -> None:
    before = _workers()
    results = in_processes([0.0, 60.0, 60.0, 60.0], waits, 2)
    assert next(results) == 0.0
    started = time.monotonic()
    results.close()
    assert time.monotonic() - started < 30
    assert _workers() <= before


def test_workers_end_with_a_parent_that_was_killed() -> None:
    code = """
        import sys, time
        from authentiscan.core.parallel import in_processes
        if __name__ == "__main__":
            for _ in in_processes([0.1] * 10_000, time.sleep, 2):
                print("going", flush=True)
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "going\n"
    workers = psutil.Process(parent.pid).children(recursive=True)
    assert workers
    parent.kill()
    parent.communicate()
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive


@BOTH
def test_the_watchdog_says_what_is_waited_for(
    run: Callable[..., Iterator[Any]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "authentiscan"):
        assert list(run([0.0, 1.5], waits, what="reading", quiet=0.2)) == [0.0, 1.5]
    told = [record.getMessage() for record in caplog.records]
    assert told
    assert told[0].startswith("reading: nothing for ")
    assert "waiting for the work" in " ".join(told)
    assert len(told) < 24  # doubled each time, so few even where workers are slow to start


def test_the_watchdog_names_an_input_that_does_not_come(caplog: pytest.LogCaptureFixture) -> None:
    def items() -> Iterator[int]:
        yield 1
        time.sleep(1.0)
        yield 2

    with caplog.at_level(logging.WARNING, "authentiscan"):
        assert list(threads(items(), slow_first, quiet=0.2)) == [1, 4]
    assert "waiting for the next input" in caplog.text


def test_one_worker_other_pools_and_servers_are_watched_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING, "authentiscan"):
        assert list(in_processes([0.0, 0.6], waits, 1, what="alone", quiet=0.2)) == [0.0, 0.6]
        others = watched(map(waits, [0.0, 0.6]), what="others", waiting="a reader", quiet=0.2)
        for made in others:
            assert made in (0.0, 0.6)
        with watching("job 1", "the verdict", 0.2):
            waits(0.6)
        with watching("job 2", "the verdict", 0.2):
            pass
    told = {record.getMessage().partition(": nothing for")[0] for record in caplog.records}
    assert told == {"alone", "others", "job 1"}
    assert "waiting for a reader" in caplog.text


def test_a_caller_that_takes_its_time_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "authentiscan"):
        for _ in threads([1, 2], abs, quiet=0.2):
            time.sleep(0.5)
    assert not caplog.records


def test_a_result_does_not_wait_for_the_next_item() -> None:
    gate = threading.Event()

    def items() -> Iterator[int]:
        yield 1
        gate.wait(30)
        yield 2

    results = threads(items(), abs)
    assert next(results) == 1
    gate.set()
    assert list(results) == [2]


def _workers() -> set[int]:
    return {child.pid for child in psutil.Process().children() if "spawn_main" in str(_line(child))}


def _line(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.Error:
        return []
