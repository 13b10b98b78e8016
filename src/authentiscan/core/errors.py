"""Every error this package raises on purpose.

AuthentiscanError                 exit 1   HTTP 500
├── UsageError                    exit 2   HTTP 400   arguments that cannot work
│   └── RecipeError               exit 2   HTTP 400   all mistakes of a recipe or config file
├── MissingExtraError             exit 2   HTTP 501   an optional dependency is not installed
├── OutputError                   exit 2   HTTP 507   full, read-only or missing place of an output
├── WorkerError                   exit 2   HTTP 503   a worker process died
├── DecodeError                   exit 1   HTTP 422   bytes that are not an image we can trust
│   ├── UnreadableFileError       exit 1   HTTP 404   missing, a folder, no permission
│   ├── EmptyFileError            exit 1   HTTP 422   zero bytes
│   ├── UnsupportedFormatError    exit 1   HTTP 415   not on the allow-list, whatever the name says
│   ├── CorruptImageError         exit 1   HTTP 422   right signature, broken or truncated content
│   └── ImageLimitError           exit 1   HTTP 413   too many bytes, pixels, frames or metadata
├── ManifestError                 exit 2   HTTP 422   a manifest that breaks its contract
├── DatasetError                  exit 2   HTTP 422   a data set absent, incomplete or unknown
├── MetricError                   exit 2   HTTP 422   a metric undefined on these scores
├── FetchError                    exit 2   HTTP 502   a file of others cannot be had or was changed
├── BundleError                   exit 2   HTTP 422   a detector bundle that cannot be used
│   ├── BundleNotFoundError       exit 2   HTTP 404   no bundle there
│   ├── BundleIntegrityError      exit 2   HTTP 422   a checksum does not match
│   └── BundleVersionError        exit 2   HTTP 422   made by a version this one cannot read
├── TrainingError                 exit 2   HTTP 500   training cannot go on
└── ServiceError                  exit 1   HTTP 503   the server cannot answer this now
    ├── AccessError               exit 2   HTTP 401   no API key, or one that is not valid
    ├── ForbiddenError            exit 2   HTTP 403   not from there, or not by this key
    ├── NotThereError             exit 1   HTTP 404   no such job, detector or page
    ├── SlowRequestError          exit 1   HTTP 408   the request did not arrive in time
    ├── BodyLimitError            exit 2   HTTP 413   a request of more bytes than are taken
    └── BusyError                 exit 1   HTTP 429   too many requests: come again later

A message says what was wrong, what was received and what is allowed or what to do next.
"""

from __future__ import annotations

from typing import ClassVar

from authentiscan.core.text import printable

_MOST_BYTES = 2**32  # of an image file that is worth reading into memory


class AuthentiscanError(Exception):
    """Root of all errors raised on purpose; catch this to catch them all."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __str__(self) -> str:
        """The message, fit for any terminal and any file: names in it come from strangers."""
        return printable(super().__str__())


class UsageError(AuthentiscanError):
    """The caller asked for something that cannot work."""

    exit_code = 2
    http_status = 400


class RecipeError(UsageError):
    """A recipe or configuration file has mistakes; the message lists every one of them."""


class MissingExtraError(AuthentiscanError):
    """An optional dependency is needed for this and is not installed."""

    exit_code = 2
    http_status = 501

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f"{what} needs the '{extra}' extra: pip install 'authentiscan[{extra}]'")
        self.extra = extra


class OutputError(AuthentiscanError):
    """What was made cannot be written: a full disk, a read-only or missing place."""

    exit_code = 2
    http_status = 507


class WorkerError(AuthentiscanError):
    """A worker process died: out of memory, killed from outside, or a crash of a library."""

    exit_code = 2
    http_status = 503


class DecodeError(AuthentiscanError):
    """The bytes could not be turned into pixels safely."""

    http_status = 422


class UnreadableFileError(DecodeError):
    """The path is missing, is a folder, or may not be read."""

    http_status = 404


class EmptyFileError(DecodeError):
    """The file holds no bytes."""


class UnsupportedFormatError(DecodeError):
    """The content is no allow-listed image format, whatever its name says."""

    http_status = 415


class CorruptImageError(DecodeError):
    """The signature is right but the content is truncated or broken."""


class ImageLimitError(DecodeError):
    """The image exceeds a limit on bytes, pixels, frames or metadata."""

    http_status = 413

    @classmethod
    def of_bytes(cls, limit: int, size: int | None = None) -> ImageLimitError:
        """For a file of more than ``limit`` bytes. size: its own, where that is known."""
        came = f"{size:,} bytes" if size is not None else "more bytes than are read"
        wish = "more" if size is None else str(size)
        way = f"; scan, explain, sheet and provenance read it with --max-bytes {wish}"
        return cls(
            f"{came}; at most {limit:,} bytes are allowed"
            f"{way if (size or 0) <= _MOST_BYTES else ''}"
        )


class ManifestError(AuthentiscanError):
    """A manifest breaks its contract."""

    exit_code = 2
    http_status = 422


class DatasetError(AuthentiscanError):
    """A data set is absent, incomplete or unknown."""

    exit_code = 2
    http_status = 422


class MetricError(AuthentiscanError):
    """A metric is undefined on these scores and labels."""

    exit_code = 2
    http_status = 422


class FetchError(AuthentiscanError):
    """A file of others cannot be fetched, or is not the one that was meant."""

    exit_code = 2
    http_status = 502


class BundleError(AuthentiscanError):
    """A detector bundle cannot be used."""

    exit_code = 2
    http_status = 422


class BundleNotFoundError(BundleError):
    """There is no bundle at that place."""

    http_status = 404


class BundleIntegrityError(BundleError):
    """A file of the bundle does not have the checksum that detector.json states."""


class BundleVersionError(BundleError):
    """The bundle was written in a format version this release does not read."""


class TrainingError(AuthentiscanError):
    """Training cannot go on; the message says what to change."""

    exit_code = 2


class ServiceError(AuthentiscanError):
    """The server cannot answer this now: it is stopping, or the answer takes too long."""

    http_status = 503


class AccessError(ServiceError):
    """The server wants an API key, and none came or one that is not valid."""

    exit_code = 2
    http_status = 401


class ForbiddenError(ServiceError):
    """The server does not take this request from there."""

    exit_code = 2
    http_status = 403


class NotThereError(ServiceError):
    """The server has no such job, detector or page."""

    http_status = 404


class SlowRequestError(ServiceError):
    """The request did not arrive within the time that it has."""

    http_status = 408


class BodyLimitError(ServiceError):
    """The request has more bytes than the server takes."""

    exit_code = 2
    http_status = 413


class BusyError(ServiceError):
    """The server has as much to do as it takes; ``retry_after``: seconds to wait."""

    http_status = 429

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after
