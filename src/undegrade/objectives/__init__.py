"""What is minimised, one file each, and the catalogue of them all."""

from torch import nn

from undegrade.objectives.degradation_classification import DegradationClassification
from undegrade.objectives.guided_transfer import GuidedTransfer
from undegrade.objectives.masked_degradation_classification import MaskedDegradationClassification
from undegrade.objectives.masked_image_modelling import MaskedImageModelling
from undegrade.objectives.prior_diffusion import PriorDiffusion
from undegrade.objectives.probe import Probe
from undegrade.objectives.relighting import Relighting
from undegrade.objectives.restoration import Restoration
from undegrade.objectives.selective_restoration import SelectiveRestoration

OBJECTIVES: dict[str, type[nn.Module]] = {
    "degradation_classification": DegradationClassification,
    "masked_degradation_classification": MaskedDegradationClassification,
    "masked_image_modelling": MaskedImageModelling,
    "guided_transfer": GuidedTransfer,
    "prior_diffusion": PriorDiffusion,
    "probe": Probe,
    "relighting": Relighting,
    "restoration": Restoration,
    "selective_restoration": SelectiveRestoration,
}

__all__ = [
    "OBJECTIVES",
    "DegradationClassification",
    "GuidedTransfer",
    "MaskedDegradationClassification",
    "MaskedImageModelling",
    "PriorDiffusion",
    "Probe",
    "Relighting",
    "Restoration",
    "SelectiveRestoration",
]
