"""``python -m tests.fuzz``: 10,000 inputs for every reader; a table of what became of them."""

from __future__ import annotations

import argparse
import logging
import resource
import sys
import time
import traceback
import warnings
from pathlib import Path

from typer import echo

from tests.fuzz.campaign import campaign, made, write
from tests.fuzz.readers import READERS

ENDS = ("success", "UsageError", "InputError", "RunError")
ROOM = 12 * 2**30  # bytes of addresses that a reader may use


def main() -> int:
    """Runs the campaigns; the exit code is 1 where there is a bug."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"by default all: {', '.join(READERS)}")
    parser.add_argument("--count", type=int, default=10_000, help="inputs for each")
    parser.add_argument("--first", type=int, default=0, help="the number of the first")
    parser.add_argument("--keep", type=Path, help="a folder that inputs with bugs are written to")
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM))
    warnings.simplefilter("ignore")  # a warning is for the user, and no bug
    logging.disable(logging.WARNING)
    echo(f"| Reader | inputs | seconds | {' | '.join(ENDS)} | MiB more |\n|---|{'---:|' * (len(ENDS) + 3)}")
    bugs = 0
    for name in asked.readers or READERS:
        before, start = peak(), time.perf_counter()
        found = campaign(name, range(asked.first, asked.first + asked.count))
        seconds, total = time.perf_counter() - start, found.outcomes.total() + len(found.bugs)
        counts = " | ".join(f"{found.outcomes[end]}" for end in ENDS)
        echo(f"| {name} | {total} | {seconds:.0f} | {counts} | {peak() - before:.0f} |")
        for number, error in found.bugs.items():
            bugs += 1
            echo(f"{name}, input {number}:", err=True)
            traceback.print_exception(error, limit=-4)
            if asked.keep:
                write(made(name, number), asked.keep / f"{name} {number}".replace(" ", "-"))
    return 1 if bugs else 0


def peak() -> float:
    """The most memory that the process has had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
