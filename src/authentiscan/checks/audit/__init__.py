"""Can a model cheat? How well facts that must not matter tell the label, and what removes them.

audited = Auditor(after=["jpeg:quality=90"], matched=True)(open_data("data.parquet"))
audited.report.findings      # in plain words
audited.matched              # a manifest in which the facts are the same for both classes
"""

from __future__ import annotations

from authentiscan.checks.audit.audit_report import (
    Audit,
    Finding,
    LabelError,
    Matching,
    Measured,
    Shortcut,
    Suspect,
)
from authentiscan.checks.audit.auditor import LIMIT, Audited, Auditor
from authentiscan.checks.audit.features import FILE_GROUPS, GROUPS, PIXEL_GROUPS
from authentiscan.checks.audit.label_errors import label_errors
from authentiscan.checks.audit.plot import picture
from authentiscan.checks.audit.shortcuts_page import audit_page

__all__ = [
    "FILE_GROUPS",
    "GROUPS",
    "LIMIT",
    "PIXEL_GROUPS",
    "Audit",
    "Audited",
    "Auditor",
    "Finding",
    "LabelError",
    "Matching",
    "Measured",
    "Shortcut",
    "Suspect",
    "audit_page",
    "label_errors",
    "picture",
]
