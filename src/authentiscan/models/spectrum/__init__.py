"""Local frequency spectra, read by a small network: see README.md."""

from authentiscan.models.spectrum.network import SpectrumClassifier

__all__ = ["SpectrumClassifier"]
