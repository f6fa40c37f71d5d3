"""What is wrong with a picture, in words."""

from undegrade.diagnosis.diagnosis import Diagnosis, name, name_all

__all__ = ["Diagnosis", "name", "name_all"]
