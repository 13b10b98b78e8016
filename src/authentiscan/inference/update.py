"""Changing what a bundle says of itself, once it was calibrated or measured; needs no torch."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from authentiscan.core.errors import UsageError
from authentiscan.core.files import write_text
from authentiscan.core.records import mistakes
from authentiscan.inference.bundle import CARD_FILE, read_spec, write_spec
from authentiscan.inference.card import model_card
from authentiscan.inference.spec import DetectorSpec


def update_spec(folder: Path | str, **changes: object) -> DetectorSpec:
    """Change fields of the bundle's detector.json (calibration, metrics ...) and rewrite its card.

    Weights and graph stay as they are. Raises UsageError where a change is not a valid field.
    """
    bundle = Path(folder)
    spec = read_spec(bundle)
    values = {field: getattr(spec, field) for field in type(spec).model_fields}
    try:
        updated = type(spec)(**{**values, **changes})
    except ValidationError as error:
        reason = mistakes(error)
        raise UsageError(f"these changes do not make a valid detector.json: {reason}") from error
    written = write_spec(bundle, updated)
    write_text(bundle / CARD_FILE, model_card(written))
    return written
