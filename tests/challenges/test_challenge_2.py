"""The check of challenge 2 follows an attendee who saves, sends and checks; each save starts the worker anew.

What it says of each answer is in ``test_challenge_2_answers.py``.
"""

from collections.abc import Iterator

import pytest

from tests.challenges.answers import RIGHT, WRONG, edited
from tests.challenges.attendee import Attendee, opened

SETUP = """
from workshop import settings
from workshop.demo import get_random_x, get_random_y
from workshop.tasks import do_task
settings.change(fault_rate=0.3)
points = [(get_random_x(), get_random_y()) for _ in range(40)]
"""

SEND = """
for x, y in points:
    do_task.delay(x, y)
"""


@pytest.fixture(scope="module")
def attendee(one_attendee: Attendee) -> Iterator[Attendee]:
    with opened(one_attendee, "02-retry", SETUP) as attendee:
        yield attendee
    one_attendee.save("tasks.py", one_attendee.original("tasks.py"))


def save(attendee: Attendee, name: str) -> None:
    answer = RIGHT[name] if name in RIGHT else WRONG[name][0]
    attendee.save("tasks.py", edited(attendee.original("tasks.py"), answer))


def test_nothing_sent(attendee: Attendee) -> None:
    assert attendee.check(2).code == "C2-NOTHING-SENT"


def test_without_the_fault_there_is_nothing_to_judge(attendee: Attendee) -> None:
    attendee.run("settings.change(fault_rate=0)")
    try:
        attendee.run(SEND)
        assert attendee.check(2).code == "C2-NO-FAULT"
    finally:
        attendee.run("settings.change(fault_rate=0.3)")


def test_runs_that_show_life_without_a_retry_do_not_count(attendee: Attendee) -> None:
    attendee.run(SEND)
    attendee.run("for x, y in points[:5]:\n    do_task.apply_async((x, y), retries=3)")
    assert attendee.check(2).code == "C2-PASSED"


def test_points_sent_before_the_edit_say_nothing_of_it(attendee: Attendee) -> None:
    """What the worker runs counts, not what the notebook has imported: its kernel needs no restart."""
    save(attendee, "passed over")
    attendee.run(SEND)
    assert attendee.check(2).code == "C2-DROPPED"
    save(attendee, "as in the course")
    assert attendee.check(2).code == "C2-RUN-AGAIN"
    attendee.run(SEND)
    assert attendee.check(2).code == "C2-PASSED"
