"""The check of challenge 5 gives each wrong way through the tile its own code, and lets every right one pass.

One kernel goes the way of an attendee: nothing sent, nothing measured, then one way after the other. The 500
tasks to compare with are 40 here; the tile is the whole one.
"""

from collections.abc import Iterator

import pytest

from tests.challenges.attendee import TASKS, Attendee, Seen, opened, table_row

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
    "nothing is sent": "",
    "one square each, everywhere": ONE_EACH,
    "blocks, everywhere": "for _ in range(20): do_block.delay(get_random_x(), get_random_y())",
    "x and y swapped": loops().replace("(x, y, km", "(y, x, km"),
    "called here and now": "do_block(450_000, 350_000)",
    "another tile": loops(west=500_000, east=600_000),
    "off the grid": "do_block.delay(-1, -1)\ndo_block.delay('x', None)",
}
WRONG = {
    "one square a message": (loops(step=1_000, km=1, north=311_000), "C5-TOO-FINE"),
    "one task a square": (loops(step=1_000, north=311_000).replace(BLOCK, SQUARE), "C5-TOO-FINE"),
    "one message": ("do_block.delay(450_000, 350_000, km=100)", "C5-TOO-COARSE"),
    "one block": ("do_block.delay(450_000, 350_000, km=10)", "C5-GAPS"),
    "one row of blocks": (loops(north=310_000), "C5-GAPS"),
    "the ends are a block early": (loops(east=490_000, north=390_000), "C5-GAPS"),
    "steps too long": (loops(step=20_000), "C5-GAPS"),
    "one point for all": (loops().replace("(x, y, km", "(400_000, 300_000, km"), "C5-GAPS"),
    "the diagonal": ("for n in range(100): do_block.delay(400_000 + 1_000 * n, 300_000 + n)", "C5-GAPS"),
    "blocks of one square": (loops(km=1), "C5-GAPS"),
    "the loop stopped": (loops().replace("do_block.", "1 / (x < 450_000); do_block."), "C5-GAPS"),
    "steps too short": (loops(step=5_000), "C5-TOO-MUCH"),
    "one block too far": (loops(east=510_000), "C5-TOO-MUCH"),
    "twice": (loops() + loops(), "C5-TOO-MUCH"),
    "no such block": (loops(km=5, north=310_000), "C5-FAILED"),
    "km is text": (loops(km="'10'", north=310_000), "C5-FAILED"),
}  # fmt: skip
RIGHT = {
    "two loops": loops(),
    "from south to north first": """
for y in range(300_000, 400_000, 10_000):
    for x in range(400_000, 500_000, 10_000):
        do_block.delay(x, y, km=10)
""",
    "the centres": loops(west=405_000, south=305_000),
    "the last metre of each block": loops(west=409_999, south=309_999),
    "the usual side": loops().replace(", km=10", ""),
    "without the name": loops().replace("km=10", "10"),
    "by names only": loops().replace("(x, y, km", "(x=x, y=y, km"),
    "one loop": "for n in range(100): do_block.delay(400_000 + n % 10 * 10_000, 300_000 + n // 10 * 10_000)",
    "decimal numbers of NumPy": loops().replace("range(", "numpy.arange(0.0 + "),
    "the course's own loop": "call_do_block(400_000, 300_000, 500_000, 400_000)",
    "apply_async": loops().replace("delay(x, y, km=10)", "apply_async((x, y), {'km': 10})"),
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


def check(attendee: Attendee, name: str, guess: str = "None") -> Seen:
    seen = attendee.check(5, guess)
    table_row(name, seen)
    assert (seen.kind in ("not yet", "not attempted")) == ("\nNext: " in seen.text)
    return seen


@pytest.mark.parametrize("name", NOT_ATTEMPTED)
def test_the_tile_is_not_attempted(attendee: Attendee, name: str) -> None:
    attendee.start_afresh()
    attendee.run(NOT_ATTEMPTED[name])
    assert check(attendee, name).code == "C5-NOT-ATTEMPTED"


def test_nothing_is_there_to_compare_with(attendee: Attendee) -> None:
    attendee.start_afresh()
    attendee.run(loops())
    assert check(attendee, "nothing is measured").code == "C5-NOT-MEASURED"
    attendee.run(ONE_EACH)
    assert check(attendee, "measured afterwards").code == "C5-PASSED"


@pytest.mark.parametrize("name", WRONG)
def test_wrong_ways(measured: Attendee, name: str) -> None:
    way, code = WRONG[name]
    measured.run(way, may_fail=name == "the loop stopped")
    assert check(measured, name).code == code
    measured.run(
        "live.watch(quiet=True)"
    )  # a check does not wait for too many messages; the next would have to


@pytest.mark.parametrize("name", RIGHT)
def test_right_ways_pass(measured: Attendee, name: str) -> None:
    measured.run(RIGHT[name])
    seen = check(measured, name)
    assert (seen.code, seen.kind, seen.numbers["squares"]) == ("C5-PASSED", "passed", 10_000), seen


@pytest.mark.parametrize("guess", ["'many'", "-1", "True", "[20]", "float('nan')"])
def test_a_guess_is_a_number(measured: Attendee, guess: str) -> None:
    measured.run(loops())
    assert check(measured, f"the guess {guess}", guess).code == "C5-GUESS"


@pytest.mark.parametrize("guess", ["2", "0.5", "numpy.float64(1e9)"])
def test_a_wrong_guess_is_fine(measured: Attendee, guess: str) -> None:
    measured.run(loops())
    seen = check(measured, f"the guess {guess}", guess)
    assert (seen.code, len(seen.notes)) == ("C5-PASSED", 1)


def test_who_was_right_may_go_on(measured: Attendee) -> None:
    """Other tasks, also wrong ones, change nothing."""
    measured.run(loops())
    measured.run("do_task.delay(-1, -1); do_block.delay(1, 1)")
    measured.run(ONE_EACH)
    assert check(measured, "more tasks afterwards").code == "C5-PASSED"


@pytest.mark.solved_course
def test_the_solution_is_shown(attendee: Attendee) -> None:
    assert "do_block.delay(x, y, km=10)" in attendee.run("challenge_5.solution()")
