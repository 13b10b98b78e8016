"""Can this manifest be trusted? Unreadable files, copies, leaks between splits, balance, counts.

verified = verify(open_manifest("data.parquet"))
verified.report.leaks            # 0 is what it must be
verified.fix("clean.parquet")    # the rules stand in `authentiscan.data.verify.clean`
"""

from __future__ import annotations

from authentiscan.data.verify.page import html
from authentiscan.data.verify.records import Removed, Verification
from authentiscan.data.verify.run import Verified, verify
from authentiscan.data.verify.source import open_manifest, write_manifest

__all__ = [
    "Removed",
    "Verification",
    "Verified",
    "html",
    "open_manifest",
    "verify",
    "write_manifest",
]
