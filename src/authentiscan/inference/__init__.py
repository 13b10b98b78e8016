"""From a bundle to scores: `load_detector` gives a `Detector`, torch-free on ONNX Runtime."""

from authentiscan.inference.bundle import DetectorSpec, EnsembleSpec, NetworkSpec, read_spec
from authentiscan.inference.detector import (
    Detector,
    ImageSource,
    Network,
    Term,
    default_bundle,
    load_detector,
)

__all__ = [
    "Detector",
    "DetectorSpec",
    "EnsembleSpec",
    "ImageSource",
    "Network",
    "NetworkSpec",
    "Term",
    "default_bundle",
    "load_detector",
    "read_spec",
]
