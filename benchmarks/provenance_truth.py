"""Compare provenance findings with the truth table of the samples, kind by kind, with times.

python benchmarks/provenance_truth.py ../shared/data/provenance [--trust-list PEM]

How the truth column is read, where it is vague, stands beside each rule in `expected`.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path

from authentiscan.provenance import Claim, Provenance, State, TrustList, inspect

AI_KINDS = {
    "Fooocus": "Fooocus",
    "AUTOMATIC1111": "AUTOMATIC1111",
    "a1111_parameters": "AUTOMATIC1111",
    "ComfyUI": "ComfyUI",
    "comfyui_prompt": "ComfyUI",
    "comfyui_workflow": "ComfyUI",
    "InvokeAI": "InvokeAI",
    "NovelAI": "NovelAI",
}
INTACT = {State.UNTRUSTED, State.TRUSTED}

# The table calls these two "C2PA manifest present". They hold none: in the first only an XMP
# reference to
# a manifest is left (the file is called no_manifest), in the second there is no C2PA chunk, and
# c2pa-python finds none in either. Right is "absent".
WITHOUT_MANIFEST = ("007_", "022_")

# Identity (CAWG) assertions that are in order; in all other cawg_* files something is wrong with
# the identity while the manifest around it is intact: an identity problem is no tampering with the
# picture.
GOOD_IDENTITY = {"cawg_success", "cawg_valid_time_stamp", "cawg_valid_until_in_future"}


def expected(row: dict[str, str], found: Provenance) -> str | None:  # noqa: PLR0911
    """None where ``found`` is right for the row of the truth table, else what is wrong."""
    kind = row["provenance_kind"]
    names = " ".join(f.generator or "" for f in found.findings)
    if kind in AI_KINDS:
        # Right = the generator is named and the claim is AI. A node-graph screenshot counts as
        # right when its finding repeats the file's claim and, sizes giving it away, says so.
        if found.claim is not Claim.AI_GENERATED or AI_KINDS[kind] not in names:
            return f"{found.claim.value} by {names!r}"
        screenshot = row["pixel_kind"] == "node_graph_screenshot"
        told = any("screenshot" in f.summary for f in found.findings)
        return "does not doubt the size" if screenshot and not told else None
    if kind == "workflow_only":
        # Often a screenshot of a graph: ComfyUI is named, but no claim is made.
        ok = found.claim is Claim.NONE and "ComfyUI" in names
        return None if ok else f"{found.claim.value} by {names!r}"
    if kind == "c2pa_trainedAlgorithmicMedia":
        ok = found.c2pa in INTACT and found.claim is Claim.AI_GENERATED
        return None if ok else f"{found.c2pa.value}, {found.claim.value}"
    if kind in ("tampered", "invalid_signature"):
        return None if found.c2pa is State.INVALID else found.c2pa.value
    if kind == "malformed_manifest":
        return None if found.c2pa is State.UNREADABLE else found.c2pa.value
    if kind == "valid_or_unmarked" and not row["file"].startswith(WITHOUT_MANIFEST):
        return None if found.c2pa in INTACT else found.c2pa.value
    if kind.startswith("cawg_"):
        told = any("identity" in f.details for f in found.findings)
        ok = found.c2pa in INTACT and told != (kind in GOOD_IDENTITY)
        return None if ok else f"{found.c2pa.value}, identity told: {told}"
    # none, example, iptc_or_c2pa, bad_image and the two files above: no manifest, and no AI claim
    # but where the file does carry parameters (a bad_image whose signals name `parameters`).
    ai = found.claim in (Claim.AI_GENERATED, Claim.AI_EDITED)
    carries = "text:parameters" in row["signals_found"]
    ok = found.c2pa is State.ABSENT and ai == carries
    return None if ok else f"{found.c2pa.value}, {found.claim.value}"


def main() -> int:
    """Print the table; 1 where a sample disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trust-list", type=Path)
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    trust = TrustList.read(arguments.trust_list) if arguments.trust_list else TrustList()
    with (arguments.folder / "truth.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    right: dict[str, list[bool]] = defaultdict(list)
    times: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        data = (arguments.folder / row["file"]).read_bytes()
        found = inspect(data, trust)  # warms up
        again = [inspect(data, trust).milliseconds for _ in range(arguments.repeats)]
        wrong = expected(row, found)
        kind = "cawg_*" if row["provenance_kind"].startswith("cawg_") else row["provenance_kind"]
        right[kind].append(wrong is None)
        times[kind].append(statistics.median(again))
        if wrong:
            print(f"WRONG {row['file']} ({row['provenance_kind']}): {wrong}")
    print(f"{'kind':32}{'right':>8}{'of':>5}{'median ms':>12}{'largest ms':>12}")
    for kind in sorted(right):
        print(
            f"{kind:32}{sum(right[kind]):8}{len(right[kind]):5}"
            f"{statistics.median(times[kind]):12.2f}{max(times[kind]):12.2f}"
        )
    total = [ok for oks in right.values() for ok in oks]
    every = [ms for listed in times.values() for ms in listed]
    print(
        f"{'all':32}{sum(total):8}{len(total):5}{statistics.median(every):12.2f}{max(every):12.2f}"
    )
    return 0 if all(total) else 1


if __name__ == "__main__":
    sys.exit(main())
