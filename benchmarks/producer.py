"""Sends the points of a run: ``python -m benchmarks.producer PROGRAM NUMBER SEED``, a process for each run.

PROGRAM is a module of `benchmarks.programs`. All programs get the same points for the same seed. The clock
starts when all is imported; what was measured is one line of JSON.
"""

import json
import os
import random
import sys
import time
from importlib import import_module

from workshop.grid import HEIGHT, WIDTH


def points(number: int, seed: int) -> list[tuple[int, int]]:
    """Return points on the British National Grid, in whole metres (EPSG:27700)."""
    chance = random.Random(seed)
    return [(chance.randrange(WIDTH), chance.randrange(HEIGHT)) for _ in range(number)]


def processor_time() -> float:
    """Return the seconds of processor time of this process and of the children that have ended."""
    return sum(os.times()[:4])


def main(program: str, number: str, seed: str) -> None:
    """Send all points, and print when it began, how long it took, and how much processor time."""
    module = import_module(f"benchmarks.programs.{program}")
    if hasattr(module, "prepare"):
        module.prepare()
    wanted = points(int(number), int(seed))
    used, began, at = processor_time(), time.perf_counter(), time.time()
    module.send_all(wanted)
    seconds = time.perf_counter() - began
    print(json.dumps({"began": at, "seconds": seconds, "processor": processor_time() - used}))


if __name__ == "__main__":
    main(*sys.argv[1:])
