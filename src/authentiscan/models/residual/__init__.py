"""The default detector's family: small, native resolution, looks at residuals."""

from authentiscan.models.residual.fronts import FRONTS, create_front
from authentiscan.models.residual.network import ResidualClassifier

__all__ = ["FRONTS", "ResidualClassifier", "create_front"]
