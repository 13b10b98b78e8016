"""Fetching the current official trust list, the one thing of this room that uses the network."""

from __future__ import annotations

from urllib.error import URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from authentiscan.core.errors import UsageError
from authentiscan.provenance.trust import MAX_TRUST_LIST_BYTES, OFFICIAL

TIMEOUT = 30
"""Seconds to wait for the next bytes."""

_BY_HAND = (
    "fetch the file with a browser and give it by hand: authentiscan trust update --from FILE"
)


def fetch(address: str = OFFICIAL) -> bytes:
    """The bytes at ``address``, at most one more than a list may have. Raises UsageError offline.

    Only https, and http to this machine itself: what is fetched says whom to trust.
    """
    parts = urlsplit(address)
    own = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if parts.scheme != "https" and not (parts.scheme == "http" and own):
        raise UsageError(f"{address} is no https address; {_BY_HAND}")
    asked = Request(address, headers={"User-Agent": "authentiscan"})  # noqa: S310 -- checked above
    try:
        with urlopen(asked, timeout=TIMEOUT) as answer:  # noqa: S310
            content: bytes = answer.read(MAX_TRUST_LIST_BYTES + 1)
    except (OSError, ValueError) as error:
        why = error.reason if isinstance(error, URLError) else error
        raise UsageError(f"cannot fetch {address} ({why}); {_BY_HAND}") from error
    return content
