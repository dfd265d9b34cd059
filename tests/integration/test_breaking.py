"""What is broken on purpose is hit in the middle of a task, comes back, and nothing gets lost."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import wait_for
from tests.integration.machine import CORE, Machine

SEND = """
from workshop import settings
from workshop.demo import get_random_x, get_random_y
from workshop.tasks import do_task
settings.change(pace=200)
for _ in range(40):
    do_task.delay(get_random_x(), get_random_y())
"""

STARTED_ANEW = {
    "kill_worker": {"worker1"},
    "kill_process": set(),
    "restart_broker": {"rabbitmq", "worker1"},
    "restart_database": {"postgis"},
}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    machine = Machine(tmp_path_factory.mktemp("breaking") / "state")
    try:
        machine.workshop("up", "--detach", *CORE)
        yield machine
    finally:
        machine.workshop("down", "--purge")


def strike(machine: Machine, name: str, before: str = "") -> str:
    done = machine.python(f"{before}\nfrom workshop.stack import breaking\nbreaking.{name}()")
    assert done.returncode == 0, done.stderr
    return done.stdout


def notes(machine: Machine) -> list[dict[str, Any]]:
    file = machine.state / "broken.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def rows(machine: Machine) -> int:
    return machine.sql("SELECT count(*) FROM geopython.grid_squares")[0][0]


def test_nothing_is_broken_while_no_task_runs(machine: Machine) -> None:
    before = machine.stack()["services"]
    said = "Nothing was broken: no task is running. Next: send tasks, and break while they run\n"
    assert strike(machine, "kill_worker") == said
    assert machine.stack()["services"] == before
    assert notes(machine) == []


@pytest.mark.parametrize("name", STARTED_ANEW)
def test_it_comes_back_and_nothing_is_lost(machine: Machine, name: str) -> None:
    """Forty tasks wait 200 ms each: the strike finds one in the middle of its work."""
    stored, known = rows(machine), len(notes(machine))
    before = machine.stack()["services"]
    said = strike(machine, name, SEND)
    assert said.count("\n") == 1
    assert ("worker1 has a new one" if name == "kill_process" else "It was started again") in said
    after = machine.stack()["services"]
    hit = {service for service in before if after[service]["pid"] != before[service]["pid"]}
    assert hit == STARTED_ANEW[name]
    assert [note["tasks"] >= 1 for note in notes(machine)[known:]] == [True]
    wait_for(lambda: rows(machine) == stored + 40, 60, "all rows")
