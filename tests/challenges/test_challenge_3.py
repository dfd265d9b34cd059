"""The check of challenge 3 gives each wrong answer its own code, and lets every right one pass.

One kernel goes the way of an attendee: no addresses, wrong ones, right ones, the counting, and back. The
course's 300 tasks are 40 here.
"""

from collections.abc import Iterator

import pytest

from backstage.classroom.card import read_code
from tests.challenges.attendee import TASKS, Attendee, Seen, opened
from tests.classroom.guests import other_machine
from tests.classroom.opened import Central
from tests.conftest import wait_for

SETUP = """
from workshop import live, maps, settings
from backstage.challenges import challenge_3
from backstage.classroom.central import start
from backstage.classroom.join import join, leave
from workshop.demo import get_random_x, get_random_y
from workshop.tasks import do_task

own_broker, own_database = settings.broker_url(), settings.database_url()
cards = start(machines=2)
b, d = cards[0].broker, cards[0].database
right_broker = f"amqp://{b.user}:{b.password}@{b.host}:{b.port}/{b.virtual_host}"
right_database = f"postgresql+psycopg://{d.user}:{d.password}@{d.host}:{d.port}/{d.name}"
prediction = shares = None
"""

SEND = f"""
settings.change(pace=20)
for _ in range({TASKS}):
    do_task.delay(get_random_x(), get_random_y())
"""

COUNT = 'squares.groupby("machine").size()'
WRONG_SHARES = {
    "untouched": "None",
    "rows that are not of this run": 'squares.head(20).groupby("machine").size()',
    "the squares themselves": "squares",
}
RIGHT_SHARES = {
    "groupby and size": COUNT,
    "by worker, as a table": 'squares.groupby("worker").size().reset_index()',
    "value_counts of a column in a list": 'squares[["machine"]].value_counts()',
    "groupby and count": 'squares.groupby("machine").count()',
    "by machine and worker": 'squares.groupby(["machine", "worker"]).size()',
    "by machine and worker, a table": 'squares.groupby(["machine", "worker"]).size().reset_index()',
    "a dictionary": "{name: len(rows) for name, rows in squares.groupby('machine')}",
}


@pytest.fixture(scope="module")
def attendee(one_attendee: Attendee, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attendee]:
    with opened(one_attendee, "03-scale-out", SETUP) as attendee:
        try:
            code = attendee.run("print(cards[1].code)")
            with other_machine(tmp_path_factory.mktemp("other"), read_code(code)):
                yield attendee
        finally:
            one_attendee.machine.workshop("leave")
            one_attendee.machine.workshop("class", "stop")


@pytest.fixture(scope="module")
def joined(attendee: Attendee) -> Attendee:
    assert "Joined as machine01" in attendee.run("join(right_broker, right_database)")
    return attendee


@pytest.fixture(scope="module")
def done(joined: Attendee) -> Attendee:
    def both_took_part() -> bool:
        joined.run(SEND)
        joined.run("live.watch(quiet=True)\nsquares = maps.read_squares(live.task_ids())")
        return joined.run("print(squares.machine.nunique())").strip() == "2"

    wait_for(both_took_part, 120, "a run of which both machines did a part")
    return joined


def check(attendee: Attendee, prediction: str = "None", shares: str = "None") -> Seen:
    seen = attendee.check(3, f"{prediction}, {shares}")
    assert (seen.kind == "not yet") == ("\nNext: " in seen.text and seen.kind != "not attempted")
    return seen


def test_no_addresses(attendee: Attendee) -> None:
    attendee.run("join(None, None)")
    assert check(attendee).code == "C3-NOT-ATTEMPTED"


def test_a_code_that_does_not_work(attendee: Attendee) -> None:
    """No part of it was built here, so the text says what to do instead of which part is wrong."""
    attendee.run("join(cards[0].code[:-1] + '?')", may_fail=True)
    seen = check(attendee)
    assert seen.code == "C3-CENTRAL"
    assert "type it once more" in seen.text


def test_a_wrong_part_is_named(attendee: Attendee) -> None:
    of_schema = """join(right_broker, right_database.rpartition("/")[0] + "/geopython")"""
    assert "Not joined. " in attendee.run(of_schema)
    seen = check(attendee)
    assert seen.code == "C3-ADDRESS"
    assert (seen.numbers["address"], seen.numbers["part"]) == ("database", "database")


def test_its_own_queue(attendee: Attendee) -> None:
    """This central is on the servers of this machine: only the names tell one queue from the other."""
    place = "print((b.host, b.port) == (urlsplit(own_broker).hostname, urlsplit(own_broker).port))"
    assert attendee.run(f"from urllib.parse import urlsplit\n{place}").strip() == "True"
    attendee.run("join(own_broker.replace('127.0.0.1', 'localhost'), right_database)")
    assert check(attendee).code == "C3-NOT-JOINED"


def test_its_own_database(attendee: Attendee) -> None:
    attendee.run("join(right_broker, own_database)")
    seen = check(attendee)
    assert seen.code == "C3-OWN-DATABASE"
    assert "geopython-db" in seen.text


def test_nothing_is_sent(joined: Attendee) -> None:
    assert check(joined).code == "C3-NOTHING-SENT"
    joined.run("do_task.delay(get_random_x(), get_random_y())")
    assert check(joined).code == "C3-NOTHING-SENT"


@pytest.mark.parametrize("prediction", ["None", f"{TASKS + 1}"])
def test_no_prediction(done: Attendee, prediction: str) -> None:
    assert check(done, prediction, COUNT).code == "C3-PREDICTION"


@pytest.mark.parametrize("name", WRONG_SHARES)
def test_wrong_shares(done: Attendee, name: str) -> None:
    assert check(done, "10", WRONG_SHARES[name]).code == "C3-COUNT"


@pytest.mark.parametrize("name", RIGHT_SHARES)
def test_right_shares_pass(done: Attendee, name: str) -> None:
    seen = check(done, "10.5", RIGHT_SHARES[name])
    assert (seen.code, seen.kind) == ("C3-PASSED", "passed"), seen
    assert (seen.numbers["done"], seen.numbers["machines"]) == (TASKS, 2)


def test_all_was_done_by_others(done: Attendee) -> None:
    """The rows say who did the tasks: not this machine, this time."""
    central = Central(done.machine.state)
    change = "UPDATE grid_squares SET machine = %s WHERE machine = %s"
    central.sql(change, "machine03", "machine01")
    assert check(done, "10", COUNT).code == "C3-NO-ROWS-HERE"
    central.sql(change, "machine01", "machine03")


def test_left_again(done: Attendee) -> None:
    assert "Back" in done.run("leave()")
    assert check(done, "10", COUNT).code == "C3-NOT-JOINED"
