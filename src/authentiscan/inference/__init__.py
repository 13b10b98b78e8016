"""From a bundle to scores: `load_detector` gives a `Detector`, torch-free on ONNX Runtime."""

from authentiscan.inference.bundle import read_spec
from authentiscan.inference.detector import (
    Backend,
    Detector,
    Network,
    WeightedNetwork,
    load_detector,
)
from authentiscan.inference.find import default_bundle, find_bundle
from authentiscan.inference.spec import Architecture, DetectorSpec, EnsembleSpec, NetworkSpec

__all__ = [
    "Architecture",
    "Backend",
    "Detector",
    "DetectorSpec",
    "EnsembleSpec",
    "Network",
    "NetworkSpec",
    "WeightedNetwork",
    "default_bundle",
    "find_bundle",
    "load_detector",
    "read_spec",
]
