"""Fetching data sets with their own clients and the user's own credentials.

The clients (kagglehub, huggingface_hub) do the transfers, with progress, resume and checksums of
what was sent; this room chooses between them, puts data in its place and says what to do by hand.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from authentiscan.core.errors import DatasetError, MissingExtraError, UsageError
from authentiscan.core.files import file_sha256, write_text
from authentiscan.datasets.catalog import DataSet
from authentiscan.datasets.listing import walk
from authentiscan.datasets.tables import is_table

MARK = ".authentiscan-download.json"
_SOURCES = ("kaggle", "hub")


def fetch(entry: DataSet, folder: Path, source: str | None = None) -> Path:
    """Fetch a data set into ``folder`` and give the folder; at once where it is there already.

    source: ``kaggle``, ``hub``, or None for Kaggle where there are credentials, else the hub where
    it is there, too. Run again after an interruption to resume. Raises DatasetError, with the steps
    by hand, where the network, the credentials or the checksums fail; UsageError for a source it is
    not at.
    """
    if (folder / MARK).is_file():
        return folder
    chosen, source = source, source or _default_source(entry)
    offered = [s for s in _SOURCES if getattr(entry, s) is not None]
    if source not in offered:
        raise UsageError(
            f"{entry.name} is not at {source!r}; it is at: {', '.join(offered) or 'none'}"
        )
    folder.mkdir(parents=True, exist_ok=True)
    client = _from_kaggle if source == "kaggle" else _from_hub
    try:
        version = client(entry, folder)
    except (MissingExtraError, UsageError):
        raise
    except Exception as error:  # the clients raise whatever their HTTP libraries do
        other = chosen is None and source == "hub" and entry.kaggle is not None
        raise DatasetError(
            f"{entry.name} could not be fetched from {source}: {_first_line(error)}\n"
            + ("(the hub was tried because there are no Kaggle credentials)\n" if other else "")
            + f"By hand:\n{manual_steps(entry, folder)}"
        ) from error
    images = sum(1 for _ in walk(folder))
    mark = {"name": entry.name, "source": source, "version": version, "images": images}
    write_text(folder / MARK, json.dumps(mark, indent=1) + "\n")
    return folder


def manual_steps(entry: DataSet, folder: Path) -> str:
    """How to get a data set without a client."""
    text = entry.manual or "See {home} and unpack it into {folder}."
    return text.format(home=entry.home, folder=folder)


def presence(entry: DataSet, folder: Path) -> str:
    """``yes``, with the number of images where a download noted it, or ``no``."""
    try:
        mark = json.loads((folder / MARK).read_text(encoding="utf-8"))
        if mark["images"]:
            return f"yes, {mark['images']:,} images"
    except (OSError, ValueError, KeyError, TypeError):
        pass
    if not folder.is_dir():
        return "no"
    if any(is_table(p) or p.suffix == ".zip" for p in folder.rglob("*")):
        return "yes, in archives or tables"
    few = list(islice(walk(folder), 200))
    if not few or entry.place is None:
        return "no"
    fitting = sum(entry.place(found.parts) is not None for found in few)
    return "yes" if fitting else "no: other images"


def _default_source(entry: DataSet) -> str:
    if entry.kaggle is not None and (entry.hub is None or _has_kaggle_credentials()):
        return "kaggle"
    return "hub" if entry.hub is not None else "kaggle"


def _has_kaggle_credentials() -> bool:
    try:
        from kagglehub.config import get_kaggle_credentials
    except ImportError as error:
        raise MissingExtraError("downloading from Kaggle", "data") from error
    try:
        return get_kaggle_credentials() is not None
    except ValueError as error:
        raise DatasetError(f"the Kaggle credentials cannot be read: {error}") from error


def _from_kaggle(entry: DataSet, folder: Path) -> str:
    """Download and unpack with kagglehub; its cache lies in the folder, so it can resume."""
    if entry.kaggle is None:
        raise UsageError(f"{entry.name} is not at Kaggle")
    if not _has_kaggle_credentials():
        raise DatasetError(
            "no Kaggle credentials; make a token at https://www.kaggle.com/settings and set "
            "KAGGLE_API_TOKEN, or KAGGLE_USERNAME and KAGGLE_KEY, or save ~/.kaggle/kaggle.json"
        )
    import kagglehub

    cache = folder / ".kagglehub"
    with _environment("KAGGLEHUB_CACHE", str(cache)):
        unpacked = Path(kagglehub.dataset_download(entry.kaggle.handle))
    for child in unpacked.iterdir():
        shutil.move(child, folder / child.name)
    shutil.rmtree(cache)
    return unpacked.name


def _from_hub(entry: DataSet, folder: Path) -> str:
    """Download with huggingface_hub, then compare every file with the hub's own SHA-256."""
    if entry.hub is None:
        raise UsageError(f"{entry.name} is not at the hub")
    try:
        from huggingface_hub import HfApi, snapshot_download
    except ImportError as error:
        raise MissingExtraError("downloading from the Hugging Face hub", "data") from error

    endpoint = os.environ.get("HF_ENDPOINT")
    info = HfApi(endpoint=endpoint).dataset_info(entry.hub.repository, files_metadata=True)
    snapshot_download(
        entry.hub.repository,
        repo_type="dataset",
        revision=info.sha,
        local_dir=folder,
        endpoint=endpoint,
    )
    for file in info.siblings or []:
        if file.lfs is not None and file_sha256(folder / file.rfilename) != file.lfs.sha256:
            (folder / file.rfilename).unlink(missing_ok=True)
            raise DatasetError(
                f"{file.rfilename} does not match its checksum; run again to fetch it anew"
            )
    return str(info.sha)


@contextmanager
def _environment(name: str, value: str) -> Iterator[None]:
    before = os.environ.get(name)
    os.environ[name] = value
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
