"""What is said of pictures that `undegrade restore` has done."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from undegrade.cli.batching import describe, remark_of
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
WHOLE = Treatment(finding=FOUND, steps=(STEP,))
NOTHING = Treatment(finding=FOUND, steps=(), reason="no", left=("rain",))
HOW = "; to repair all of it, unchecked: --force --only rain"
JOB = Job(source=Path("a.tif"), target=Path("b.tif"))


def done(*treatments: Treatment[Diagnosis]) -> Done[Diagnosis]:
    return Done(pages=tuple(Page(treatment=one) for one in treatments), notes=(), seconds=1.5, pixels=9)


@pytest.mark.parametrize(
    ("treatments", "what", "remark"),
    [
        ((WHOLE,), "restored: rain", ""),
        ((PART,), "restored in part: rain 50 %", f"rain: by half{HOW}"),
        ((replace(WHOLE, reason="noise: as asked"),), "restored: rain", "noise: as asked"),
        ((NOTHING,), "left alone", f"no{HOW}"),
        ((PART, PART, NOTHING), "2 of 3 pages restored", f"rain: by half; no{HOW}"),
    ],
)
def test_a_row_is_short_and_the_remark_says_why(
    treatments: tuple[Treatment[Diagnosis], ...], what: str, remark: str
) -> None:
    record, row = describe(JOB, done(*treatments))
    assert row == ("a.tif", "rain streaks", what, "b.tif", "1.50")
    assert remark_of(record) == remark
    assert record["left"] == list(treatments[0].left)


def test_what_was_seen_is_named_in_the_order_of_its_repair() -> None:
    scratched = replace(
        PART, steps=(STEP, replace(STEP, kind="inpainting", strength=0.75)), left=("inpainting", "haze")
    )
    record, row = describe(JOB, done(scratched))
    assert row[2] == "restored in part: rain, scratches 75 %"
    assert remark_of(record).endswith("--force --only rain,scratches,haze")
    own, row = describe(JOB, done(Treatment(finding=FOUND, steps=(replace(STEP, kind=None),))))
    assert (row[2], remark_of(own)) == ("restored", "")
    pages, _ = describe(JOB, done(Treatment(finding=FOUND, steps=(replace(STEP, kind=None),)), NOTHING))
    assert remark_of(pages) == f"no{HOW}"


def test_remarks_stand_beside_a_table_only(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"input": "a.tif"}
    for as_json in (False, True):
        report = Report(debug=False, as_json=as_json, in_lines=True)
        report.add(record, ("a.tif",))
        report.remark(record, "")
        report.remark(record, "rain: by half")
        printed = capsys.readouterr()
        assert printed.err == ("" if as_json else "note: a.tif: rain: by half\n")
    assert json.loads(printed.out)["input"] == "a.tif"
