"""Make the head that reads instructions, and count what it understands of sentences that it never saw.

    python benchmarks/say.py > benchmarks/results/say.json            # counts, with the head of the package
    python benchmarks/say.py --teach > benchmarks/results/say.json    # makes it anew first

It learns from the clauses of `undegrade.text.sentences`; it is tried on `say_sentences.json`, written by hand and
never trained on: some were looked at while the clauses were written, the others were written afterwards. A sentence
is understood where only, skip, nothing and refusal are all as they stand there.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from machine import facts
from undegrade.errors import UndegradeError
from undegrade.text.encoder import embed
from undegrade.text.head import WEIGHTS, Head, fit_head, read_head, save_head
from undegrade.text.sentences import clauses
from undegrade.text.understanding import understand

SENTENCES = Path(__file__).parent / "say_sentences.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--teach", action="store_true", help="make the head of the package anew")
    options = parser.parse_args()
    if options.teach:
        examples = list(clauses())
        save_head(fit_head(embed([one.text for one in examples]), examples), WEIGHTS)
    head = read_head()
    tried = [tried_sentence(one, head) for one in json.loads(SENTENCES.read_text())]
    by_language: dict[str, list[bool]] = defaultdict(list)
    for one in tried:
        by_language[f"{one['language']}, {one['set']}"].append(one["understood"])
    rows = {name: f"{sum(right)} of {len(right)}" for name, right in by_language.items()}
    result = {
        "understood": rows,
        "wrong": [one for one in tried if not one["understood"]],
        "ms_a_sentence": round(1000 * statistics.median(one.pop("seconds") for one in tried), 1),
        "head_bytes": WEIGHTS.stat().st_size,
        "learned_from": len(list(clauses())),
        "machine": facts(),
    }
    print(json.dumps(result, indent=1, ensure_ascii=False))


def tried_sentence(row: dict[str, Any], head: Head) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        said = understand(row["say"], head, embed)
        found: dict[str, Any] = {"only": list(said.only), "skip": list(said.skip), "nothing": said.nothing}
    except UndegradeError as error:
        found = {"refused": "no instruction" in str(error)}
    seconds = time.perf_counter() - began
    wanted = {"only": [], "skip": [], "nothing": False, "refused": False, **row}
    got = {"only": [], "skip": [], "nothing": False, "refused": False, **found}
    right = all(
        (sorted(wanted[key]) == sorted(got[key])) if key in ("only", "skip") else wanted[key] == got[key]
        for key in ("only", "skip", "nothing", "refused")
    )
    return {
        "language": row["language"],
        "set": row["set"],
        "say": row["say"],
        "understood": right,
        "found": found,
        "seconds": seconds,
    }


if __name__ == "__main__":
    main()
