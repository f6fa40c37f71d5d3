"""What is kept of a video that is not finished."""

from pathlib import Path

import numpy as np

from undegrade.diagnosis import Diagnosis, OwnJudge
from undegrade.inference.restorer import Restorer
from undegrade.inference.treatment import Step, Treatment
from undegrade.inference.video.ledger import Ledger
from undegrade.reports import treatment_data


class Seeing:
    """Sees rain."""

    name, labels, multi_label = "seeing", ("clean", "rain"), False


def test_a_treatment_comes_back_as_it_was(tmp_path: Path) -> None:
    restorer: Restorer[Diagnosis] = Restorer(Seeing(), OwnJudge())  # type: ignore[arg-type]
    ledger = Ledger(folder=tmp_path, target=tmp_path / "b.mp4")
    assert ledger.treatment(7, restorer) is None
    contexts = np.array([[0.0, 4.0]], np.float32)
    treatment = Treatment(
        finding=restorer.name(contexts, {}),
        steps=(Step(kind="rain", context=contexts[0], strength=0.5),),
        reason="rain: by half",
        left=("rain",),
    )
    ledger.keep_treatment(7, treatment, contexts)
    back = ledger.treatment(7, restorer)
    assert back is not None
    assert treatment_data(back) == treatment_data(treatment)
    np.testing.assert_array_equal(back.steps[0].context, contexts[0])
