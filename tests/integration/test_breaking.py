"""What is broken on purpose is hit in the middle of a task, comes back, and nothing gets lost."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from backstage.stack import breaking
from tests.conftest import wait_for
from tests.integration.machine import Machine, lives, manage
from tests.integration.own_stack import all_at_the_first_attempt, send_some
from workshop import settings

STARTED_ANEW = {
    breaking.kill_worker: {"worker1"},
    breaking.kill_process: set(),
    breaking.restart_broker: {"rabbitmq", "worker1"},
    breaking.restart_database: {"postgis"},
}


@pytest.fixture(autouse=True)
def slowly(machine: Machine) -> Iterator[None]:
    """A strike finds a task in the middle of its work."""
    settings.change(pace=200)
    yield
    settings.change(pace=None)


def notes(machine: Machine) -> list[dict[str, Any]]:
    file = machine.state / "broken.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def delivered_again(machine: Machine) -> int:
    """Return how many messages RabbitMQ has delivered once more since it was started."""
    queue = json.loads(manage(machine, "GET", "queues/celery_app/squares"))
    return queue.get("message_stats", {}).get("redeliver", 0)


def test_nothing_is_broken_while_no_task_runs(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    before = machine.stack()["services"]
    breaking.kill_worker()
    said = "Nothing was broken: no task is running. Next: send tasks, and break while they run\n"
    assert capsys.readouterr().out == said
    assert machine.stack()["services"] == before
    assert notes(machine) == []


@pytest.mark.parametrize("strike", STARTED_ANEW, ids=lambda strike: strike.__name__)
def test_it_comes_back_and_nothing_is_lost(
    machine: Machine, strike: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    tasks, known, before = send_some(), len(notes(machine)), machine.stack()["services"]
    again = 0 if strike is breaking.restart_broker else delivered_again(machine)
    children = psutil.Process(before["worker1"]["pid"]).children(recursive=True)
    strike()
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert ("worker1 has a new one" if strike is breaking.kill_process else "It was started again") in said
    after = machine.stack()["services"]
    hit = {service for service in before if after[service]["pid"] != before[service]["pid"]}
    assert hit == STARTED_ANEW[strike]
    assert len(notes(machine)) == known + 1
    if strike is breaking.kill_worker:
        assert after["worker1"]["restarts"] == before["worker1"]["restarts"] + 1
        assert after["worker1"]["message"].endswith("it was ended by SIGKILL; started again after 1 s")
        assert not any(map(lives, children))
    all_at_the_first_attempt(tasks)
    wait_for(lambda: delivered_again(machine) > again, 15, "a message that was delivered again")
