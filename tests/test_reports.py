import numpy as np
import pytest

from undegrade.diagnosis.diagnosis import PHRASES, Diagnosis
from undegrade.inference.treatment import Step, Treatment
from undegrade.reports import told


@pytest.mark.parametrize("label", ["clean", "unknown"])
def test_what_was_forced_was_not_left_alone(label: str) -> None:
    finding = Diagnosis(label=label, probability=1.0, probabilities={}, sentence=PHRASES[label], present=())
    forced = Treatment(finding=finding, steps=(Step(kind="noise", context=np.zeros(1, np.float32)),))
    assert told(Treatment(finding=finding, steps=())) == PHRASES[label]
    assert told(forced) == PHRASES[label].partition(":")[0]
