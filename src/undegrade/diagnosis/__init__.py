"""What is wrong with a picture, in words."""

from undegrade.diagnosis.diagnosis import Diagnosis, name

__all__ = ["Diagnosis", "name"]
