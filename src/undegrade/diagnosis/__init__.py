"""What is wrong with a picture, how badly, where; and when to leave it alone."""

from undegrade.diagnosis.diagnosis import UNKNOWN, Diagnosis, name, name_all
from undegrade.diagnosis.gate import Gate
from undegrade.diagnosis.head import Head, read_head
from undegrade.diagnosis.judges import EVERYTHING, OwnJudge, Wish, called, listed
from undegrade.diagnosis.severity import Severity

__all__ = [
    "EVERYTHING",
    "UNKNOWN",
    "Diagnosis",
    "Gate",
    "Head",
    "OwnJudge",
    "Severity",
    "Wish",
    "called",
    "listed",
    "name",
    "name_all",
    "read_head",
]
