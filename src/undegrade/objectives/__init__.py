"""What is minimised, one file each, and the catalogue of them all."""

from torch import nn

from undegrade.objectives.degradation_classification import DegradationClassification
from undegrade.objectives.restoration import Restoration

OBJECTIVES: dict[str, type[nn.Module]] = {
    "degradation_classification": DegradationClassification,
    "restoration": Restoration,
}

__all__ = ["OBJECTIVES", "DegradationClassification", "Restoration"]
