"""What is said of pictures that `undegrade restore` has done."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from undegrade.cli.batching import describe, hint_of, remark_of
from undegrade.cli.output import Report
from undegrade.diagnosis import Diagnosis
from undegrade.inference.batch import Done, Page
from undegrade.inference.jobs import Job
from undegrade.inference.treatment import Step, Treatment

FOUND = Diagnosis(
    label="rain", probability=0.9, probabilities={"rain": 0.9}, sentence="rain streaks", present=("rain",)
)
STEP = Step(kind="rain", context=np.zeros(1, np.float32))
PART = Treatment(finding=FOUND, steps=(replace(STEP, strength=0.5),), reason="rain: by half", left=("rain",))
JOB = Job(source=Path("a.tif"), target=Path("b.tif"))


def done(*treatments: Treatment[Diagnosis]) -> Done[Diagnosis]:
    return Done(pages=tuple(Page(treatment=one) for one in treatments), notes=(), seconds=1.5, pixels=9)


@pytest.mark.parametrize(
    ("treatments", "what", "remark"),
    [
        ((Treatment(finding=FOUND, steps=(STEP,)),), "restored", ""),
        ((PART,), "restored in part", "rain: by half"),
        (
            (Treatment(finding=FOUND, steps=(STEP,), reason="noise: left alone, as asked"),),
            "restored",
            "noise: left alone, as asked",
        ),
        ((Treatment(finding=FOUND, steps=(), reason="no", left=("rain",)),), "left alone", "no"),
        ((PART, PART, Treatment(finding=FOUND, steps=(), reason="no")), "2 of 3 pages restored", "rain: by half; no"),
    ],
)
def test_a_row_is_short_and_the_remark_says_why(
    treatments: tuple[Treatment[Diagnosis], ...], what: str, remark: str
) -> None:
    record, row = describe(JOB, done(*treatments))
    assert row == ("a.tif", "rain streaks", what, "b.tif", "1.50")
    assert remark_of(record) == remark
    assert record["left"] == list(treatments[0].left)


def test_the_hint_repairs_all_that_was_wanted_of_a_picture() -> None:
    whole, _ = describe(JOB, done(Treatment(finding=FOUND, steps=(STEP,))))
    assert hint_of([whole]) == ""
    assert hint_of([{"input": "of a version that said less", "repaired": [], "reason": ""}]) == ""
    part, _ = describe(JOB, done(replace(PART, left=("rain", "haze"))))
    assert hint_of([whole, part]).startswith("a.tif: to repair all of it, unchecked: --force --only rain,haze; ")
    pages, _ = describe(replace(JOB, source=Path("c.tif")), done(Treatment(finding=FOUND, steps=(STEP,)), PART, PART))
    assert hint_of([pages]).startswith("c.tif: ")
    assert hint_of([pages, part]).startswith("c.tif, and others: to repair all of it, unchecked: --force --only rain; ")


def test_remarks_and_hints_stand_beside_a_table_only(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"input": "a.tif"}
    for as_json in (False, True):
        report = Report(debug=False, as_json=as_json, in_lines=True)
        report.add(record, ("a.tif",))
        report.remark(record, "")
        report.remark(record, "rain: by half")
        report.hint("--force")
        printed = capsys.readouterr()
        assert printed.err == ("" if as_json else "note: a.tif: rain: by half\nhint: --force\n")
    assert json.loads(printed.out)["input"] == "a.tif"
