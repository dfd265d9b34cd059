"""The check of challenge 4 gives each wrong prediction its own code, and lets every right one pass.

One kernel goes the way of an attendee: no prediction, nothing sent, nothing broken, half of it, then all. The
course's 300 tasks are 40 here.
"""

from collections.abc import Iterator

import pytest

from tests.challenges.attendee import TASKS, Attendee, Seen, opened
from tests.waiting import wait_for
from workshop.delivery.asking import ask

SETUP = """
import numpy, pandas
from fractions import Fraction
from kombu import Connection
from workshop import live, settings
from backstage.challenges import challenge_4
from workshop.demo import get_random_x, get_random_y
from backstage.stack import breaking, control
from workshop.tasks import do_task
control.scale(1, processes=2)
"""

SEND = f"""
settings.change(pace={{pace}})
for _ in range({TASKS}):
    do_task.delay(get_random_x(), get_random_y())
"""
BREAK = """
breaking.kill_process()
breaking.kill_worker()
breaking.restart_broker()
breaking.restart_database()
"""
POISON = """
with Connection(settings.broker_url()) as connection:
    connection.Producer().publish(42, exchange="tasks", routing_key="task.square")
"""
TWICE = """
task = do_task.delay(325_200, 673_500)
do_task.apply_async((325_200, 673_500), task_id=task.id)
"""

RIGHT = {"rows": TASKS, "lost": 0, "dead": 1, "twice": 1, "retries": 0}

NO_PREDICTION = ["None", "{}", "{'rows': None, 'lost': None, 'dead': None, 'twice': None, 'retries': None}"]
NO_NUMBERS = {
    "a number only": ("300", ["300"]),
    "a list": ("[40, 0, 1, 1, 0]", ["[40, 0, 1, 1, 0]"]),
    "an array": (f"{RIGHT} | {{'rows': numpy.array([40, 40])}}", ["rows is array([40, 40])"]),
    "all is wrong": (
        "{'rows': '40', 'dead': True, 'twice': -1, 'retries': float('inf')}",
        ["rows is '40'", "lost is None", "dead is True", "twice is -1", "retries is inf"],
    ),
}
WRONG = {
    "a half": ({"rows": 39.5}, "C4-ROWS", []),
    "what was in the middle is lost": ({"lost": 2}, "C4-LOST", []),
    "the number just vanishes": ({"dead": 0}, "C4-DEAD", []),
    "sent twice, stored twice": ({"twice": 2}, "C4-TWICE", []),
    "each outage costs a retry": ({"retries": 4}, "C4-RETRIES", []),
    "all is wrong": (dict.fromkeys(RIGHT, 7), "C4-ROWS", ["also different: lost, dead, twice, retries."]),
}
RIGHT_ONES = {
    "whole numbers": f"{RIGHT}",
    "fractions": f"dict(zip({[*RIGHT]}, map(Fraction, {[*RIGHT.values()]})))",
    "a row of a table": f"pandas.DataFrame([{RIGHT}]).iloc[0]",
    "further names": f"{RIGHT} | {{'why': 'because', 5: None}}",
}


@pytest.fixture(scope="module")
def attendee(one_attendee: Attendee) -> Iterator[Attendee]:
    one_attendee.empty()  # an answer to challenge 2 lets its tasks wait for an hour
    with opened(one_attendee, "04-nothing-lost", SETUP) as attendee:
        yield attendee


@pytest.fixture(scope="module")
def sent(attendee: Attendee) -> Attendee:
    attendee.run(SEND.format(pace=0))
    return attendee


@pytest.fixture(scope="module")
def broken(sent: Attendee) -> Attendee:
    """All is broken, in an order of the attendee's own: the worker forgets what it did before it ended."""
    said = sent.run(SEND.format(pace=100) + BREAK)
    sent.run("tasks = live.latest_run()")
    assert said.count("is ready.") == 3 and "starts a new one." in said, said
    sent.run(POISON)
    sent.run(TWICE)
    sent.run("live.watch(quiet=True)")
    return sent


def check(attendee: Attendee, prediction: object) -> Seen:
    seen = attendee.check(4, str(prediction))
    assert (seen.kind == "not yet") == ("\nNext: " in seen.text and seen.kind != "not attempted")
    return seen


@pytest.mark.parametrize("prediction", NO_PREDICTION)
def test_no_prediction(attendee: Attendee, prediction: str) -> None:
    assert check(attendee, prediction).code == "C4-NOT-ATTEMPTED"


@pytest.mark.parametrize("name", NO_NUMBERS)
def test_what_is_no_number_is_named(attendee: Attendee, name: str) -> None:
    prediction, wrong = NO_NUMBERS[name]
    seen = check(attendee, prediction)
    assert seen.code == "C4-PREDICTION"
    assert seen.numbers["wrong"] == ", ".join(wrong)


def test_nothing_is_sent(attendee: Attendee) -> None:
    assert check(attendee, RIGHT).code == "C4-NOTHING-SENT"
    attendee.run("do_task.delay(get_random_x(), get_random_y())")
    assert check(attendee, RIGHT).code == "C4-NOTHING-SENT"


def test_nothing_is_broken(sent: Attendee) -> None:
    sent.run("live.watch(quiet=True)")
    url = sent.machine.stack()["broker_url"]  # a row is there a moment before its message is acknowledged
    wait_for(
        lambda: not any(each["held"] for each in ask(url, "course_report").values()), what="an idle worker"
    )
    seen = check(sent, RIGHT)
    assert seen.code == "C4-NOT-BROKEN"
    assert seen.numbers["missing"].count(",") == 5


def test_what_was_not_broken_is_named(sent: Attendee) -> None:
    sent.run(POISON)
    sent.run(TWICE)
    sent.run(SEND.format(pace=50) + "breaking.restart_database()")
    seen = check(sent, RIGHT)
    assert seen.code == "C4-NOT-BROKEN"
    assert seen.numbers["missing"] == (
        "worker1 was started anew, a process of it was killed, RabbitMQ was killed, "
        "a message that is no task was refused, a task was sent twice"
    )


@pytest.mark.parametrize("name", WRONG)
def test_wrong_predictions(broken: Attendee, name: str) -> None:
    guesses, code, notes = WRONG[name]
    seen = check(broken, RIGHT | guesses)
    assert (seen.code, seen.notes) == (code, notes)
    first = code.removeprefix("C4-").lower()
    assert (seen.numbers["guess"], seen.numbers["true"]) == (guesses[first], RIGHT[first])


@pytest.mark.parametrize("name", RIGHT_ONES)
def test_right_predictions_pass(broken: Attendee, name: str) -> None:
    seen = check(broken, RIGHT_ONES[name])
    assert (seen.code, seen.kind) == ("C4-PASSED", "passed"), seen
    assert {key: seen.numbers[key] for key in RIGHT} == RIGHT


def test_who_was_right_may_go_on(broken: Attendee) -> None:
    """Other tasks, also wrong ones, change nothing."""
    broken.run("do_task.delay(-1, -1); do_task.delay(1, 1)")
    broken.run("live.watch(quiet=True)")
    assert check(broken, RIGHT).code == "C4-PASSED"


def test_a_task_that_is_really_lost_is_the_first_thing_to_say(broken: Attendee) -> None:
    id = broken.run("print(tasks[7].id)").strip()
    broken.machine.sql("DELETE FROM geopython.grid_squares WHERE task_id = %s", id)
    seen = check(broken, RIGHT)
    assert (seen.code, seen.numbers["lost"]) == ("C4-MISSING", 1)
