"""Who made it: `load_attributor` gives an `Attributor`, torch-free on ONNX Runtime."""

from authentiscan.attribution.adding import add_generator
from authentiscan.attribution.attributor import Attributor, load_attributor
from authentiscan.attribution.result import UNKNOWN, Attribution, Candidate
from authentiscan.attribution.spec import AttributorSpec, read_attributor

__all__ = [
    "UNKNOWN",
    "Attribution",
    "Attributor",
    "AttributorSpec",
    "Candidate",
    "add_generator",
    "load_attributor",
    "read_attributor",
]
