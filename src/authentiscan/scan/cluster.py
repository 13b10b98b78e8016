"""Parts of a scan on a Ray cluster: one warm detector a worker, more workers where there is room.

The machine that runs the command lists the images and hands out parts. Each worker reads its images
itself, and writes its parts itself, so what is read and written must be reachable from all machines
under one name: an object store, or a shared file system. The detector is sent to them. A part whose
worker is lost is made again by another; see `authentiscan.scan.parts`.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from authentiscan.core.errors import AuthentiscanError, MissingExtraError, OutputError, WorkerError
from authentiscan.core.text import library_words
from authentiscan.core.watchdog import watched
from authentiscan.scan.engine import Options
from authentiscan.scan.parts import Done, Judge, Part, PartsFolder, as_record

if TYPE_CHECKING:
    from types import ModuleType

    import ray

_WINDOW = 2000  # parts listed at a time: a million images, however many there are
_CARRIED = 2**30  # bytes of archive members among them
_QUIET_SECONDS = 300.0  # a part takes a minute or two
_STORE_BYTES = 512 * 2**20  # of Ray's own memory, where we start it


@contextmanager
def connected(address: str | None) -> Iterator[ModuleType]:
    """Ray, connected to the cluster at ``address``; None starts one on this machine, for as long.

    Raises MissingExtraError without the ``cluster`` extra, WorkerError where nothing answers.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtraError("--engine ray", "cluster") from error
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")  # what matters is raised
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        else:
            # Ray's own workers would wait behind everything else on this machine.
            os.environ.setdefault("RAY_worker_niceness", "0")
            ray.init(
                address="local",
                object_store_memory=_STORE_BYTES,
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
    except Exception as error:  # Ray raises many kinds
        where = f"at {address}" if address else "on this machine"
        raise WorkerError(f"no Ray cluster {where}: {library_words(error)}") from error
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()


def on_ray(
    parts: Iterable[Part],
    bundle: Path,
    options: Options,
    folder: PartsFolder,
    *,
    attributor: Path | None = None,
    address: str | None = None,
    workers: int | None = None,
) -> Iterator[Done]:
    """Make the parts on a cluster; each is told as it ends, in any order.

    bundle, attributor: folders of the detector and of what names generators, here; their files are
    sent. address: of the cluster, such as
    ``auto`` or ``ray://host:10001``; None for one on this machine. workers: at most so many, None
    for all that the cluster has room for.

    Raises OutputError where a part cannot be written, WorkerError where Ray gives up.
    """
    with connected(address) as ray:
        files = ray.put((_packed(bundle), None if attributor is None else _packed(attributor)))
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=workers)
        for window in _windows(parts):
            # A block a part: what is lost with a machine is one part. Ray starts lost workers anew.
            rows = ray.data.from_items(
                [{"part": pickle.dumps(part)} for part in window], override_num_blocks=len(window)
            )
            settings = (files, replace(options, attributor=None), folder)
            yield from _results(
                rows.map(_Worker, fn_constructor_args=settings, compute=pool, num_cpus=1)
            )


def _results(rows: ray.data.Dataset) -> Iterator[Done]:
    try:
        waiting = "the cluster to make a part; `ray status` shows whether it has room"
        found = watched(rows.iter_rows(), what="scanning", waiting=waiting, quiet=_QUIET_SECONDS)
        for row in found:
            result = json.loads(row["result"])
            if "error" in result:
                raise OutputError(result["error"])
            yield Done(**result)
    except AuthentiscanError:
        raise
    except Exception as error:
        raise WorkerError(f"the cluster gave up: {library_words(error)}") from error


_Files: TypeAlias = tuple[dict[str, bytes], dict[str, bytes] | None]
"""A detector's bundle and, where images are to be named, an attributor's: files by their names."""


class _Worker:
    """Lives in a process of the cluster, with the detector loaded once."""

    def __init__(
        self,
        files: ray.ObjectRef[_Files],
        options: Options,
        folder: PartsFolder,
    ) -> None:
        import ray

        from authentiscan.attribution import load_attributor
        from authentiscan.inference import load_detector

        bundle, attributor = ray.get(files)
        with _unpacked(bundle) as place:
            detector = load_detector(place, threads=1)
        if attributor is not None:
            with _unpacked(attributor) as place:
                options = replace(options, attributor=load_attributor(place, threads=1))
        self._judge = Judge(detector, options, folder)

    def __call__(self, row: dict[str, bytes]) -> dict[str, str]:
        """Make the part in ``row``."""
        try:
            part = pickle.loads(row["part"])  # noqa: S301 - made by `on_ray`
            return {"result": json.dumps(as_record(self._judge(part)))}
        except AuthentiscanError as error:
            return {"result": json.dumps({"error": str(error)})}


def _packed(bundle: Path) -> dict[str, bytes]:
    """The files of a bundle by their names in it."""
    found = (path for path in bundle.rglob("*") if path.is_file())
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in found}


@contextmanager
def _unpacked(files: dict[str, bytes]) -> Iterator[Path]:
    """A folder with what `_packed` took."""
    with tempfile.TemporaryDirectory(prefix="authentiscan-") as place:
        for name, content in files.items():
            path = Path(place, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        yield Path(place)


def _windows(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Parts in lists of bounded length and weight, so that memory does not grow with their sum."""
    window: list[Part] = []
    carried = 0
    for part in parts:
        window.append(_placed(part))
        carried += sum(len(item.content or b"") for item in part.items)
        if len(window) >= _WINDOW or carried >= _CARRIED:
            yield window
            window, carried = [], 0
    if window:
        yield window


def _placed(part: Part) -> Part:
    """The part with whole paths: workers stand in other folders."""
    return replace(
        part,
        items=tuple(
            replace(item, path=item.path.absolute()) if item.path else item for item in part.items
        ),
    )
