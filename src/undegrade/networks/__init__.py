"""Restoration networks, one file each, and the catalogue of them all."""

from undegrade.networks.base import RestorationNetwork
from undegrade.networks.classifier import DegradationClassifier
from undegrade.networks.nafnet import NAFNet
from undegrade.networks.swinir import SwinIR
from undegrade.networks.universal import UniversalRestorer

NETWORKS: dict[str, type[RestorationNetwork]] = {"nafnet": NAFNet, "swinir": SwinIR}

__all__ = ["NETWORKS", "DegradationClassifier", "NAFNet", "RestorationNetwork", "SwinIR", "UniversalRestorer"]
