"""An attributor as it is handed on: what answering needs, and no more."""

from __future__ import annotations

import shutil
from pathlib import Path

from authentiscan.attribution.attributor import find_attributor
from authentiscan.attribution.card import attributor_card
from authentiscan.attribution.spec import AttributorSpec, read_attributor, write_attributor
from authentiscan.core.files import write_text
from authentiscan.inference.bundle import CARD_FILE
from authentiscan.inference.folder import replaced_bundle


def export_attributor(attributor: Path | str | None, output: Path | str) -> AttributorSpec:
    """Write ``attributor`` to the folder ``output`` without its weights for training.

    Its answers stay the same. Raises a BundleError leaf where it cannot be read.
    """
    folder = find_attributor(attributor)
    spec = read_attributor(folder)
    kept = {name: spec.files[name] for name in spec.own_files}
    lean = spec.model_copy(update={"files": kept})
    with replaced_bundle(Path(output)) as partial:
        for name in kept:
            shutil.copyfile(folder / name, partial / name)
        written = write_attributor(partial, lean)
        write_text(partial / CARD_FILE, attributor_card(written))
    return written
