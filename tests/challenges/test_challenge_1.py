"""The check of challenge 1 gives each wrong answer its own code, and lets every right one pass.

Each answer is a cell in a real kernel, with real services. The course's 2,500 tasks are 40 here.
"""

from collections.abc import Iterator
from textwrap import dedent

import pytest

from tests.challenges.attendee import TASKS, Attendee, opened

SETUP = """
import random
from workshop.demo import get_random_x, get_random_y
from workshop.tasks import application, do_task
"""


def many(call: str, times: int = 40) -> str:
    """Return a cell that says the same so many times."""
    return f"for _ in range({times}):\n    {call}"


WRONG = {
    "the cell is untouched": ("# TODO - challenge 1", "C1-NOT-ATTEMPTED"),
    "the task is called directly": (many("do_task(get_random_x(), get_random_y())"), "C1-CALLED-DIRECTLY"),
    "the loop runs ten times": (many("do_task.delay(get_random_x(), get_random_y())", 10), "C1-TOO-FEW"),
    "one too many": (many("do_task.delay(get_random_x(), get_random_y())", 41), "C1-TOO-MANY"),
    "x is drawn before the loop": (
        """
        x = get_random_x()
        for _ in range(40):
            do_task.delay(x, get_random_y())
        """,
        "C1-ONE-POINT",
    ),
    "x and y are swapped": (many("do_task.delay(get_random_y(), get_random_x())"), "C1-SWAPPED"),
    "x twice": (many("do_task.delay(get_random_x(), get_random_x())"), "C1-HALF-GRID"),
    "an application of the notebook's own": (
        """
        from celery import Celery
        from workshop.settings import broker_url
        mine = Celery("tasks", broker=broker_url())
        @mine.task
        def do_task_2(x, y):
            pass
        for _ in range(40):
            do_task_2.delay(get_random_x(), get_random_y())
        """,
        "C1-DEFINED-HERE",
    ),
    "an unregistered name": (
        many('application.send_task("tasks.do_task", (get_random_x(), get_random_y()))'),
        "C1-WRONG-NAME",
    ),
    "the result is waited for": (many("do_task.delay(get_random_x(), get_random_y()).get()"), "C1-WAITED"),
    "a function as argument": (many("do_task.delay(get_random_x, get_random_y)"), "C1-NOT-JSON"),
    "one argument, a pair": (many("do_task.delay((get_random_x(), get_random_y()))"), "C1-CELL-STOPPED"),
    "text as arguments": (many("do_task.delay(str(get_random_x()), str(get_random_y()))"), "C1-OUT-OF-RANGE"),
}

NUMBERS = {
    "the task is called directly": {"rows": 40},
    "the loop runs ten times": {"sent": 10, "wanted": 40},
    "one too many": {"sent": 41, "wanted": 40},
    "x is drawn before the loop": {"sent": 40, "different": 1},
    "x and y are swapped": {"sent": 40},
    "an application of the notebook's own": {"sent": 40, "name": "tasks.do_task_2"},
    "an unregistered name": {
        "sent": 40,
        "name": "tasks.do_task",
        "known": "workshop.blocks.do_block, workshop.tasks.do_task",
    },
    "the result is waited for": {"sent": 1},
    "a function as argument": {"argument": "x"},
    "one argument, a pair": {"sent": 0},
    "text as arguments": {"sent": 40},
}

RIGHT = {
    "as in the course": """
        for _ in range(40):
            x = get_random_x()
            y = get_random_y()
            do_task.delay(x, y)
        """,
    "arguments by name": many("do_task.delay(y=get_random_y(), x=get_random_x())"),
    "a group": """
        from celery import group
        group(do_task.s(get_random_x(), get_random_y()) for _ in range(40)).delay()
        """,
    "by its name": many('application.send_task("workshop.tasks.do_task", (get_random_x(), get_random_y()))'),
    "call_do_task": """
        from workshop.demo import call_do_task
        call_do_task(40)
        """,
    "points first, then numbers with decimals": """
        points = [(random.uniform(0, 699_999), random.uniform(0, 1_299_999)) for _ in range(40)]
        for point in points:
            do_task.delay(*point)
        """,
}


@pytest.fixture(scope="module")
def attendee(one_attendee: Attendee) -> Iterator[Attendee]:
    with opened(one_attendee, "01-enqueue", SETUP) as attendee:
        yield attendee


@pytest.fixture(autouse=True)
def afresh(attendee: Attendee) -> None:
    attendee.start_afresh()


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_gets_its_code(name: str, attendee: Attendee) -> None:
    cell, code = WRONG[name]
    attendee.run(dedent(cell), may_fail=True)
    seen = attendee.check(1)
    assert seen.code == code, seen
    assert "\nNext: " in seen.text
    assert seen.kind == ("not attempted" if code == "C1-NOT-ATTEMPTED" else "not yet")
    assert NUMBERS.get(name, {}).items() <= seen.numbers.items(), seen


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.challenge(1) if name == "call_do_task" else ()) for name in RIGHT],
)
def test_a_right_answer_passes(name: str, attendee: Attendee) -> None:
    attendee.run(dedent(RIGHT[name]))
    seen = attendee.check(1)
    assert (seen.code, seen.kind) == ("C1-PASSED", "passed"), seen
    assert seen.numbers["sent"] == seen.numbers["done"] == TASKS
