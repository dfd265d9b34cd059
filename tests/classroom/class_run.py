"""A whole class by hand: five machines with cables, 20,000 squares, one cable cut in mid-run.

Run it as root: ``python -m tests.classroom.class_run --machines 5 --squares 20000``. It prints what each
machine did, and the seconds until what the cut one held was with others, and until it was back.
"""

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests.classroom.class_of import Class, class_of
from workshop.classroom import central, fill
from workshop.stack import management

CUT_FOR = 45
"""Seconds without the cable."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--machines", type=int, default=5)
    arguments.add_argument("--squares", type=int, default=20_000)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder, class_of(options.machines, Path(folder)) as room:
        run(room, options.squares)


def run(room: Class, squares: int) -> None:
    began = time.monotonic()
    feeding = threading.Thread(target=fill.fill, args=("land", squares))
    feeding.start()
    goes = room.guests[-1]
    until(lambda: room.done() > squares * 0.25)
    print(
        f"{room.done():,} done after {since(began):.0f} s; the cable of {goes.card.machine} is cut",
        flush=True,
    )
    goes.cut()
    cut = time.monotonic()
    until(lambda: not is_connected(goes.card.machine))
    print(f"RabbitMQ gave it up, and its tasks to others, {since(cut):.0f} s after the cut", flush=True)
    until(lambda: since(cut) > CUT_FOR)
    before, done_by = room.done(), room.done_by(goes)
    goes.heal()
    healed = time.monotonic()
    print(f"{before:,} done when the cable is there again, {CUT_FOR} s after the cut", flush=True)
    until(lambda: room.done_by(goes) > done_by)
    print(f"its next square came {since(healed):.0f} s after that", flush=True)
    feeding.join()
    until(lambda: room.done() >= squares)
    seconds = since(began)
    print(f"{squares:,} squares in {seconds:.0f} s: {squares / seconds:.0f} per second", flush=True)
    for machine, number in room.shares().items():
        print(f"{machine}  {number:>7,}  {number / squares:6.1%}")
    found = room.balanced(120)
    print(f"lost {found.open}, twice {room.twice()}, dead {len(found.dead)}, forged {len(found.forged)}")


def is_connected(machine: str) -> bool:
    connections = json.loads(management.ask(central.site(), "/api/connections"))
    return any(each.get("user") == machine for each in connections)


def since(moment: float) -> float:
    return time.monotonic() - moment


def until(condition: Callable[[], bool], seconds: float = 1800) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it takes too long"
        time.sleep(0.5)


if __name__ == "__main__":
    main()
