"""The generator from the residual alone: see README.md."""

from authentiscan.models.fingerprint.network import FingerprintNetwork

__all__ = ["FingerprintNetwork"]
