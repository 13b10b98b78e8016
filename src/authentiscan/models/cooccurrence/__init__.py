"""Co-occurrences of neighbouring residuals, read by a small network: see README.md."""

from authentiscan.models.cooccurrence.network import CoOccurrenceClassifier

__all__ = ["CoOccurrenceClassifier"]
