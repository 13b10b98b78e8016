"""From a bundle to scores: `load_detector` gives a `Detector`, torch-free on ONNX Runtime."""

from authentiscan.inference.bundle import DetectorSpec, read_spec
from authentiscan.inference.detector import Detector, ImageSource, default_bundle, load_detector

__all__ = [
    "Detector",
    "DetectorSpec",
    "ImageSource",
    "default_bundle",
    "load_detector",
    "read_spec",
]
