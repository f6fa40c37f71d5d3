"""Restoration networks, one file each, and the catalogue of them all."""

from undegrade.networks.adair import AdaIR
from undegrade.networks.base import GuidedNetwork, RestorationNetwork
from undegrade.networks.classifier import DegradationClassifier
from undegrade.networks.diffir import DiffIR
from undegrade.networks.dwformer import DWFormer
from undegrade.networks.guided_cascade import GuidedCascade
from undegrade.networks.guided_conv import GuidedConv
from undegrade.networks.guided_unet import GuidedUNet
from undegrade.networks.hogformer import HOGformer
from undegrade.networks.nafnet import NAFNet
from undegrade.networks.pip import PIPNAFNet, PIPRestormer
from undegrade.networks.promptir import PromptIR
from undegrade.networks.restormer import Restormer
from undegrade.networks.swinir import SwinIR
from undegrade.networks.textpromptir import TextPromptIR
from undegrade.networks.universal import UniversalRestorer

NETWORKS: dict[str, type[RestorationNetwork]] = {
    "nafnet": NAFNet,
    "restormer": Restormer,
    "swinir": SwinIR,
    "promptir": PromptIR,
    "adair": AdaIR,
    "hogformer": HOGformer,
    "diffir": DiffIR,
    "dwformer": DWFormer,
    "pip_restormer": PIPRestormer,
    "pip_nafnet": PIPNAFNet,
    "textpromptir": TextPromptIR,
    "guided_unet": GuidedUNet,
    "guided_cascade": GuidedCascade,
}

__all__ = [
    "NETWORKS",
    "AdaIR",
    "DWFormer",
    "DegradationClassifier",
    "DiffIR",
    "GuidedCascade",
    "GuidedConv",
    "GuidedNetwork",
    "GuidedUNet",
    "HOGformer",
    "NAFNet",
    "PIPNAFNet",
    "PIPRestormer",
    "PromptIR",
    "RestorationNetwork",
    "Restormer",
    "SwinIR",
    "TextPromptIR",
    "UniversalRestorer",
]
