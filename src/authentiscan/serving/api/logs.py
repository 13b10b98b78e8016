"""The server's log: one JSON object a line on standard error.

No content and no name of an image, no address of a client, no key is ever written: records name
routes, not paths, and of an unexpected error its place in the program, not its text.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from datetime import UTC, datetime

_FIELDS = (
    "request_id", "method", "route", "status", "ms", "bytes", "images", "key", "kind", "job", "why",
    "error", "address",
)  # fmt: skip


class JsonLines(logging.Formatter):
    """A record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Time, level, message and those of the known fields that the record has."""
        fields: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        fields |= {name: record.__dict__[name] for name in _FIELDS if name in record.__dict__}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= _places(record.exc_info[1])
        return json.dumps(fields)


def begin(*, verbose: bool, quiet: bool) -> None:
    """Log as JSON lines from now on. quiet: warnings and errors only; verbose: every request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    level = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    for name in ("authentiscan", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.propagate = False
    logging.getLogger("authentiscan").setLevel(level)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)  # ours say the same, without addresses


def _places(error: BaseException) -> dict[str, object]:
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "kind": type(error).__name__,
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }
