"""Any convolutional timm backbone under the pooled head."""

from authentiscan.models.backbone.classifier import TimmClassifier

__all__ = ["TimmClassifier"]
