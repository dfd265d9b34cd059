"""The check of challenge 5 gives each wrong way through the tile its own code, and lets every right one pass.

One kernel goes the way of an attendee: nothing sent, nothing measured, then one way after the other. The 500
tasks to compare with are 40 here; the tile is the whole one.
"""

from collections.abc import Iterator

import pytest

from tests.challenges.attendee import TASKS, Attendee, Seen, opened

SETUP = """
import numpy
from backstage.challenges import challenge_5
from backstage.stack import control
from workshop import live, settings
from workshop.blocks import call_do_block, do_block
from workshop.demo import get_random_x, get_random_y
from workshop.tasks import do_task
settings.change(pace=0)
control.scale(1, processes=2)
"""
ONE_EACH = f"for _ in range({TASKS}): do_task.delay(get_random_x(), get_random_y())"

TWO_LOOPS = """
for x in range({west}, {east}, {step}):
    for y in range({south}, {north}, {step}):
        do_block.delay(x, y, km={km})
"""
TILE = {"west": 400_000, "east": 500_000, "south": 300_000, "north": 400_000, "step": 10_000, "km": 10}

BLOCK, SQUARE = "do_block.delay(x, y, km=10)", "do_task.delay(x, y)"


def loops(**others: object) -> str:
    return TWO_LOOPS.format(**TILE | others)


NOT_ATTEMPTED = {
    "one square each, everywhere": ONE_EACH,
    "off the grid": "do_block.delay(-1, -1)\ndo_block.delay('x', None)",
}
WRONG = {
    "one task a square": (loops(step=1_000, north=311_000).replace(BLOCK, SQUARE), "C5-TOO-FINE"),
    "one message": ("do_block.delay(450_000, 350_000, km=100)", "C5-TOO-COARSE"),
    "one row of blocks": (loops(north=310_000), "C5-GAPS"),
    "blocks of one square": (loops(km=1), "C5-GAPS"),
    "one block too far": (loops(east=510_000), "C5-TOO-MUCH"),
    "twice": (loops() + loops(), "C5-TOO-MUCH"),
    "no such block": (loops(km=5, north=310_000), "C5-FAILED"),
}
RIGHT = {
    "the centres": loops(west=405_000, south=305_000),
    "by names only": loops().replace("(x, y, km", "(x=x, y=y, km"),
    "decimal numbers of NumPy": loops().replace("range(", "numpy.arange(0.0 + "),
    "the course's own loop": "call_do_block(400_000, 300_000, 500_000, 400_000)",
    "the rest one by one": loops(north=390_000)
    + loops(south=390_000, east=490_000)
    + loops(west=490_000, south=390_000, step=1_000, km=1),
}


@pytest.fixture(scope="module")
def attendee(one_attendee: Attendee) -> Iterator[Attendee]:
    one_attendee.empty()  # an answer to challenge 2 lets its tasks wait for an hour
    with opened(one_attendee, "05-go-faster", SETUP) as attendee:
        yield attendee


@pytest.fixture(scope="module")
def measured(attendee: Attendee) -> Attendee:
    attendee.start_afresh()
    attendee.run(ONE_EACH)
    return attendee


def check(attendee: Attendee, guess: str = "None") -> Seen:
    seen = attendee.check(5, guess)
    assert (seen.kind in ("not yet", "not attempted")) == ("\nNext: " in seen.text)
    return seen


@pytest.mark.parametrize("name", NOT_ATTEMPTED)
def test_the_tile_is_not_attempted(attendee: Attendee, name: str) -> None:
    attendee.start_afresh()
    attendee.run(NOT_ATTEMPTED[name])
    assert check(attendee).code == "C5-NOT-ATTEMPTED"


def test_nothing_is_there_to_compare_with(attendee: Attendee) -> None:
    attendee.start_afresh()
    attendee.run(loops())
    assert check(attendee).code == "C5-NOT-MEASURED"
    attendee.run(ONE_EACH)
    assert check(attendee).code == "C5-PASSED"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ways(measured: Attendee, name: str) -> None:
    way, code = WRONG[name]
    measured.run(way)
    assert check(measured).code == code
    measured.run("live.watch(quiet=True)")  # a check does not wait for too many messages


@pytest.mark.parametrize("name", RIGHT)
def test_right_ways_pass(measured: Attendee, name: str) -> None:
    measured.run(RIGHT[name])
    seen = check(measured)
    assert (seen.code, seen.kind, seen.numbers["squares"]) == ("C5-PASSED", "passed", 10_000), seen


@pytest.mark.parametrize("guess", ["'many'", "-1"])
def test_a_guess_is_a_number(measured: Attendee, guess: str) -> None:
    measured.run(loops())
    assert check(measured, guess).code == "C5-GUESS"


def test_a_wrong_guess_is_fine(measured: Attendee) -> None:
    measured.run(loops())
    seen = check(measured, "numpy.float64(0.5)")
    assert (seen.code, len(seen.notes)) == ("C5-PASSED", 1)


def test_who_was_right_may_go_on(measured: Attendee) -> None:
    """Other tasks, also wrong ones, change nothing."""
    measured.run(loops())
    measured.run("do_task.delay(-1, -1); do_block.delay(1, 1)")
    measured.run(ONE_EACH)
    assert check(measured).code == "C5-PASSED"
