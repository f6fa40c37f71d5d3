"""Carries out commands in processes forked from this one, which has imported already what takes them seconds.

Reads a JSON object a line: `argv` of each process, `own` of each one's environment, and for all `cwd`, `env`, `out` and
`err`, the files that are written, and `most`, the largest file that may be, in bytes. Answers with their numbers, and,
when all have ended, with their codes as `subprocess` has them.
"""

import gc
import json
import os
import resource
import runpy
import signal
import sys
from typing import Any, NoReturn

import psutil

PRELOADED = ("torch._dynamo", "undegrade.cli", "undegrade.evaluation.validation", "undegrade.training.run")


def become(order: dict[str, Any], number: int) -> NoReturn:
    """In the forked process: all that a command started by the shell would find, and the command."""
    os.environ.clear()
    os.environ.update(order["env"], **order["own"][number])
    os.chdir(order["cwd"])
    for stream, path in ((1, order["out"]), (2, order["err"])):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    if order["most"]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (order["most"], order["most"]))
    sys.argv = order["argv"]
    if sys.argv[0] == "-m":
        runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
    raise SystemExit(0)


def main() -> None:
    """Fork for each line, until there are no more."""
    for name in PRELOADED:
        __import__(name)
    gc.freeze()  # or the first collection of each process would copy it all
    assert psutil.Process().num_threads() == 1, "a thread would be missing in what is forked"
    for line in sys.stdin:
        order, processes = json.loads(line), list[int]()
        for number in range(len(order["own"])):
            process = os.fork()
            if not process:
                become(order, number)
            processes.append(process)
        print(json.dumps(processes), flush=True)
        codes = [os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) for process in processes]
        print(json.dumps(codes), flush=True)


if __name__ == "__main__":
    main()
