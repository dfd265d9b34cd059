"""The check of challenge 2 gives each wrong answer its own code, and lets every right one pass.

Each answer is an edit of ``tasks.py`` that a real worker runs. 40 points stand in for the course's 500, more
of them meet the fault, and a retry comes twenty times sooner. The worker takes the answers as they are saved,
without being started again: that is in ``test_challenge_2.py``.
"""

from collections.abc import Iterator

import pytest

from tests.challenges.answers import RIGHT, WITHOUT_DELAY, WRONG, edited
from tests.challenges.attendee import TASKS, Attendee, Seen, opened
from tests.challenges.test_challenge_2 import SEND, SETUP

FEWER = "the Retry is swallowed and logged"
"""Where it is not each point that fails at the first attempt that counts."""

COUNT = """
from workshop.service import is_faulty
print(sum(is_faulty(x, y, 0) for x, y in points))
"""


@pytest.fixture(scope="module")
def faulty(attendee: Attendee) -> int:
    """How many of the points fail at the first attempt."""
    return int(attendee.run(COUNT))


@pytest.fixture(scope="module")
def attendee(unwatched: Attendee) -> Iterator[Attendee]:
    with opened(unwatched, "02-retry", SETUP) as attendee:
        yield attendee


def judge(attendee: Attendee, answer: str | tuple[str, str]) -> Seen:
    attendee.start_afresh()
    attendee.take(edited(attendee.original("tasks.py"), answer))
    attendee.run(SEND)
    return attendee.check(2)


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_gets_its_code(name: str, attendee: Attendee, faulty: int) -> None:
    answer, code = WRONG[name]
    seen = judge(attendee, answer)
    assert seen.code == code, seen
    assert "\nNext: " in seen.text
    assert seen.kind == ("not attempted" if code == "C2-NOT-ATTEMPTED" else "not yet")
    if code == "C2-NOT-ATTEMPTED":
        assert "as saved" in seen.text and "save the file" in seen.text
    counted = [seen.numbers.get(what) for what in ("failed", "swallowed", "missing", "due")]
    if code != "C2-RETRIES-ALL" and name != FEWER:
        assert faulty in counted, (faulty, seen)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes(name: str, attendee: Attendee) -> None:
    seen = judge(attendee, RIGHT[name])
    assert (seen.code, seen.kind) == ("C2-PASSED", "passed"), seen
    assert seen.numbers["done"] == TASKS
    assert seen.numbers["retries"] == seen.numbers["expected"] > 5
    assert seen.notes == []


def test_a_retry_without_its_own_delay_passes_with_advice(attendee: Attendee) -> None:
    seen = judge(attendee, WITHOUT_DELAY)
    assert seen.code == "C2-PASSED"
    assert "names no delay" in seen.notes[0]
