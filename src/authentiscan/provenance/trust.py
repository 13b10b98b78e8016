"""Whose C2PA signatures are trusted."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from authentiscan.core.errors import UsageError

MAX_TRUST_LIST_BYTES = 8 * 1024 * 1024
ENVIRONMENT = "AUTHENTISCAN_TRUST_LIST"
_MARK = "-----BEGIN CERTIFICATE-----"


@dataclass(frozen=True, slots=True)
class TrustList:
    """Certificates whose signatures count as trusted: ``anchors`` is PEM text, empty for nobody."""

    anchors: str = ""
    name: str = "empty"

    @classmethod
    def read(cls, path: Path | str) -> TrustList:
        """Read a PEM file with one or more CA certificates. Raises UsageError where it is none."""
        source = Path(path)
        try:
            with source.open("rb") as file:
                content = file.read(MAX_TRUST_LIST_BYTES + 1)
        except OSError as error:
            raise UsageError(f"cannot read the trust list {source}: {error.strerror}") from error
        if len(content) > MAX_TRUST_LIST_BYTES:
            raise UsageError(
                f"the trust list {source} is over {MAX_TRUST_LIST_BYTES // 2**20} MB, "
                "which no list of certificates is"
            )
        text = content.decode("ascii", errors="replace")
        if _MARK not in text:
            raise UsageError(
                f"{source} holds no certificate: a trust list is a PEM file with "
                f"'{_MARK}' blocks, such as the one the C2PA conformance program publishes"
            )
        return cls(anchors=text, name=source.name)

    @classmethod
    def default(cls) -> TrustList:
        """The file named by the environment variable AUTHENTISCAN_TRUST_LIST; empty without one."""
        named = os.environ.get(ENVIRONMENT)
        return cls.read(named) if named else cls()

    def __len__(self) -> int:
        return self.anchors.count(_MARK)
