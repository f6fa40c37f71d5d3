"""JPEG's traces: how a picture was compressed, found in its pixels, and a finer repair of it than a network's."""

from undegrade.deblocking.compression import Compression, find_compression
from undegrade.deblocking.estimation import deblock

__all__ = ["Compression", "deblock", "find_compression"]
