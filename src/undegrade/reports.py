"""Findings and results as JSON-like data and in words: the same on the command line and over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.batch import Done
    from undegrade.inference.treatment import Treatment


def sentence_of(diagnosis: Diagnosis | None) -> str:
    """What is wrong, for a table."""
    return diagnosis.sentence if diagnosis else "not named by this model"


def diagnosis_data(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as JSON-like data."""
    data = {
        "label": diagnosis.label,
        "present": list(diagnosis.present),
        "probability": round(diagnosis.probability, 4),
        "sentence": diagnosis.sentence,
        "probabilities": {label: round(p, 4) for label, p in diagnosis.probabilities.items()},
    }
    if diagnosis.strangeness is not None:
        data["strangeness"] = round(diagnosis.strangeness, 3)
        data["severities"] = {
            kind: {
                "level": round(severity.level, 3),
                "field": severity.field,
                "value": None if severity.value is None else round(severity.value, 3),
                "unit": severity.unit,
                "family": diagnosis.families[kind],
            }
            for kind, severity in diagnosis.severities.items()
        }
    return data


def treatment_data(treatment: Treatment[Diagnosis]) -> dict[str, Any]:
    """What was found and done, as JSON-like data."""
    return {
        "changed": bool(treatment.steps),
        "diagnosis": diagnosis_data(treatment.finding) if treatment.finding else None,
        "repaired": [{"kind": step.kind, "strength": step.strength, "by": step.by} for step in treatment.steps],
        "reason": treatment.reason,
        "left": list(treatment.left),
    }


def found(diagnosis: Diagnosis | None) -> str:
    """What is wrong, where what was done is said beside, or nothing is to be done."""
    return sentence_of(diagnosis).removesuffix(": left alone")


def told(treatment: Treatment[Diagnosis]) -> str:
    """What was found, and what was not repaired of it and why, in one sentence."""
    # Steps were forced, where nothing was found.
    sentence = (found if treatment.steps else sentence_of)(treatment.finding)
    return "; ".join(text for text in (sentence, treatment.reason) if text)


def done_data(done: Done[Diagnosis]) -> dict[str, Any]:
    """What became of a file, as JSON-like data; of one with several pages, also of each."""
    data: dict[str, Any] = {
        **treatment_data(done.pages[0].treatment),
        "changed": done.changed,
        "pixels": done.pixels,
        "seconds": round(done.seconds, 3),
        "notes": list(done.notes),
    }
    if len(done.pages) > 1:
        data["pages"] = [treatment_data(page.treatment) for page in done.pages]
    return data
