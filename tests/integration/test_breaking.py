"""What is broken on purpose is hit in the middle of a task, comes back, and nothing gets lost."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import psutil
import pytest

from backstage.stack import breaking
from tests.conftest import wait_for
from tests.integration.machine import Machine, lives, manage
from tests.integration.own_stack import all_at_the_first_attempt, send_some
from workshop import settings
from workshop.errors import WorkshopError

STRIKES = {
    breaking.kill_worker: ({"worker1"}, {"worker"}),
    breaking.kill_process: (set(), {"process"}),
}
"""Each with the services that it starts anew, and what these say of it afterwards."""


@pytest.fixture(autouse=True)
def slowly(machine: Machine) -> Iterator[None]:
    """A strike finds a task in the middle of its work."""
    settings.change(pace=200)
    yield
    settings.change(pace=None)


def delivered_again(machine: Machine) -> int:
    """Return how many messages RabbitMQ has delivered once more since it was started."""
    queue = json.loads(manage(machine, "GET", "queues/celery_app/squares"))
    return queue.get("message_stats", {}).get("redeliver", 0)


def test_nothing_is_broken_while_no_task_waits(machine: Machine) -> None:
    before = machine.stack()["services"]
    with pytest.raises(WorkshopError, match=r"Nothing was broken: no task waits\. Next: send tasks"):
        breaking.kill_worker()
    assert machine.stack()["services"] == before


@pytest.mark.parametrize("strike", STRIKES, ids=lambda strike: strike.__name__)
def test_it_comes_back_and_nothing_is_lost(
    machine: Machine, strike: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    anew, broken = STRIKES[strike]
    tasks, began, before = send_some(), datetime.now(UTC), machine.stack()["services"]
    again = delivered_again(machine)
    children = psutil.Process(before["worker1"]["pid"]).children(recursive=True)
    strike()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert ("worker1 starts a new one" if strike is breaking.kill_process else "It was started again") in said
    assert breaking.broken(began) == broken
    assert settings.pace() == 200, "the pace is as before"
    wait_for(lambda: {each["state"] for each in machine.stack()["services"].values()} == {"ready"}, 20)
    after = machine.stack()["services"]
    assert {service for service in before if after[service]["pid"] != before[service]["pid"]} == anew
    if strike is breaking.kill_worker:
        assert after["worker1"]["restarts"] == before["worker1"]["restarts"] + 1
        assert after["worker1"]["message"].endswith("it was ended by SIGKILL; started again after 1 s")
        assert not any(map(lives, children))
    if strike is breaking.kill_process:
        wait_for(lambda: [lives(child) for child in children].count(False) == 1, 5, "one dead process")
    all_at_the_first_attempt(tasks)
    wait_for(lambda: delivered_again(machine) > again, 15, "a message that was delivered again")
