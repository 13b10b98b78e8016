"""Can this manifest be trusted? Unreadable files, copies, leaks between splits, balance, counts.

verified = verify(open_data("data.parquet"))
verified.report.leaks            # 0 is what it must be
verified.fix("clean.parquet")    # the rules stand in `authentiscan.checks.verify.clean`
"""

from __future__ import annotations

from authentiscan.checks.verify.findings_page import verification_page
from authentiscan.checks.verify.verifier import Verified, verify
from authentiscan.checks.verify.verify_report import Removed, Verification

__all__ = [
    "Removed",
    "Verification",
    "Verified",
    "verification_page",
    "verify",
]
