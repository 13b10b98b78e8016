"""What a file says of its own origin: C2PA, EXIF, XMP, IPTC and generator metadata.

Findings report claims the file makes; none of them looks at what the picture shows. A file without
metadata gives no finding, and that says nothing: most photographs on the web lost theirs.
"""

from __future__ import annotations

from authentiscan.provenance.inspect import inspect
from authentiscan.provenance.records import Claim, Finding, Provenance, State
from authentiscan.provenance.trust import TrustList

__all__ = ["Claim", "Finding", "Provenance", "State", "TrustList", "inspect"]
