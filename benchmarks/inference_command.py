"""`undegrade restore FILE -o TARGET` as a user starts it, which at its end also says how much memory it had.

`python inference_command.py SOURCE TARGET`; prints what the command found, its own seconds, and the peak.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys

from timing import peak_mb
from undegrade.cli import main

if __name__ == "__main__":
    source, target = sys.argv[1:]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        code = main(["restore", source, "-o", target, "--json"])
    if code:
        sys.exit(code)
    record = json.loads(said.getvalue().splitlines()[0])
    if not record["changed"]:
        sys.exit(f"the picture was left alone ({record['diagnosis']}), so nothing was measured")
    found = record["diagnosis"]["label"]
    print(json.dumps({"found": found, "seconds": record["seconds"], "peak_mb": peak_mb()}))
