"""Files in object stores, by their addresses: ``s3://bucket/key``, ``gs://``, ``hf://`` and more.

S3 and Google Cloud Storage are read by pyarrow's own clients, the others by the package that fsspec
names. Credentials are those of the environment, as every tool of these stores reads them; for S3
also ``AWS_ENDPOINT_URL`` and ``AWS_REGION``. Web addresses are not among them: nothing is fetched
from the web. Everything here may be called from several threads.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING

from authentiscan.core.errors import (
    ImageLimitError,
    MissingExtraError,
    OutputError,
    UnreadableFileError,
    UsageError,
)
from authentiscan.core.text import library_words

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem
    from pyarrow.fs import S3FileSystem

_PACKAGES = {
    "s3": "",
    "gs": "",
    "gcs": "",
    "hf": "",
    "abfs": "adlfs",
    "abfss": "adlfs",
    "az": "adlfs",
    "hdfs": "",
    "webhdfs": "",
}
"""Schemes, and the package that fsspec needs for them beside the ``cluster`` extra."""

_ADDRESS = re.compile(rf"({'|'.join(_PACKAGES)})://[^\s]", re.IGNORECASE)
_REGION = "us-east-1"  # of stores that are not Amazon's, which ask for any


def is_bucket(text: str) -> bool:
    """Whether the text is an address in an object store."""
    return _ADDRESS.match(text) is not None


def join(address: str, name: str) -> str:
    """The address of ``name`` in the folder ``address``."""
    return f"{address.rstrip('/')}/{name}"


def read(address: str, limit: int) -> bytes:
    """The bytes of an object, ``limit`` at most.

    Raises UnreadableFileError where it is not there or may not be read, ImageLimitError where it is
    larger.
    """
    system, path = _opened(address)
    try:
        with system.open(path, "rb") as stream:
            content = bytes(stream.read(limit + 1))
    except Exception as error:  # every store has exceptions of its own
        raise _unreadable(address, error) from error
    if len(content) > limit:
        raise ImageLimitError.of_bytes(limit)
    return content


def is_file(address: str) -> bool:
    """Whether an object has this very address. Raises UnreadableFileError where nobody can say."""
    system, path = _opened(address)
    try:
        return bool(system.isfile(path))
    except Exception as error:
        raise _unreadable(address, error) from error


def walk(address: str, *, recursive: bool = True) -> Iterator[str]:
    """The addresses of all objects below ``address``, folder by folder, sorted; lazily.

    Raises UnreadableFileError where a folder cannot be listed.
    """
    system, path = _opened(address)
    scheme = address.partition("://")[0]
    waiting = [path.rstrip("/")]
    while waiting:
        here = waiting.pop()
        try:
            entries = sorted(system.ls(here, detail=True), key=lambda entry: str(entry["name"]))
        except Exception as error:
            raise _unreadable(f"{scheme}://{here}", error) from error
        below = []
        for entry in entries:
            name = str(entry["name"]).rstrip("/")
            if entry["type"] == "directory":
                below.append(name)
            elif name != here:  # some stores keep an empty object for a folder
                yield f"{scheme}://{name}"
        waiting += reversed(below) if recursive else []


def opened(address: str) -> IO[bytes]:
    """An object as a binary file that can be sought in. Raises UnreadableFileError."""
    system, path = _opened(address)
    try:
        stream: IO[bytes] = system.open(path, "rb")
    except Exception as error:
        raise _unreadable(address, error) from error
    return stream


def write(address: str, content: bytes) -> None:
    """Make ``content`` the whole object; object stores show it whole or not at all.

    Raises OutputError.
    """
    system, path = _opened(address)
    try:
        with system.open(path, "wb") as stream:
            stream.write(content)
    except Exception as error:
        raise OutputError(f"cannot write {address}: {_words(error)}") from error


def remove(address: str) -> None:
    """Take an object away. Raises OutputError."""
    system, path = _opened(address)
    try:
        system.rm_file(path)
    except Exception as error:
        raise OutputError(f"cannot remove {address}: {_words(error)}") from error


def _opened(address: str) -> tuple[AbstractFileSystem, str]:
    """The file system of an address, and the path in it."""
    scheme, _, path = address.partition("://")
    scheme = scheme.lower()
    if scheme not in _PACKAGES:
        known = ", ".join(f"{name}://" for name in _PACKAGES)
        raise UsageError(f"{address}: addresses of object stores begin with {known}")
    try:
        return _system(scheme, path.partition("/")[0]), path
    except ImportError as error:
        package = _PACKAGES[scheme]
        if package:
            raise UsageError(f"{scheme}:// needs one more package: pip install {package}") from None
        raise MissingExtraError(f"reading {scheme}://", "cluster") from error
    except (OSError, ValueError) as error:
        raise _unreadable(address, error) from error


@functools.lru_cache(maxsize=64)
def _system(scheme: str, bucket: str) -> AbstractFileSystem:
    import fsspec
    from fsspec.implementations.arrow import ArrowFSWrapper

    if scheme == "s3":
        return ArrowFSWrapper(_s3(bucket))
    if scheme in ("gs", "gcs"):
        from pyarrow.fs import GcsFileSystem

        return ArrowFSWrapper(GcsFileSystem())
    return fsspec.filesystem(scheme)


def _s3(bucket: str) -> S3FileSystem:
    """Amazon's store, or one that speaks its language where ``AWS_ENDPOINT_URL`` says so."""
    from pyarrow.fs import S3FileSystem, resolve_s3_region

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if not endpoint:
        return S3FileSystem(region=region or resolve_s3_region(bucket))
    scheme, there, host = endpoint.rstrip("/").partition("://")
    return S3FileSystem(
        region=region or _REGION,
        endpoint_override=host if there else endpoint,
        scheme=scheme if there else "https",
    )


def _unreadable(address: str, error: Exception) -> UnreadableFileError:
    if isinstance(error, FileNotFoundError):
        return UnreadableFileError(f"{address} does not exist")
    return UnreadableFileError(f"{address} cannot be read: {_words(error)}")


def _words(error: Exception) -> str:
    return library_words(error)[:300] or "the store gave no reason"
