"""A rehearsal runs joined machines on this one, and leaves nothing behind, however it ends."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from backstage.classroom import central, fill, join, rehearsal
from backstage.stack.central_config import CentralConfig, opened
from tests.classroom.opened import Central
from tests.conftest import wait_for
from tests.integration.machine import CORE, Machine, listening, manage
from tests.servers import at
from workshop import state_folder
from workshop.errors import WorkshopError


@pytest.fixture(autouse=True)
def own(tmp_path: Path) -> Iterator[Machine]:
    """A state folder of its own, in which nothing runs."""
    own = Machine(tmp_path / "state")
    with at(own.state):
        yield own
        own.workshop("down", "--purge")
        own.until_gone(set(), 20)


def shares(own: Machine) -> dict[str, int]:
    return dict(Central(own.state).sql("SELECT machine, count(*) FROM geopython.grid_squares GROUP BY 1"))


def begun(process: subprocess.Popen[str], machines: int) -> bool:
    """Wait until a rehearsal says that all machines work; return whether it does."""
    assert process.stdout
    begin = f"{machines} machines work for the central at 127.0.0.1."
    return any(line.startswith(begin) for line in process.stdout)


def names(own: Machine) -> set[str]:
    """Return what there is at both servers beside what each stack has."""
    kinds = ("users", "vhosts")
    found = {each["name"] for kind in kinds for each in json.loads(manage(own, "GET", kind))}
    found |= {name for (name,) in own.sql("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'")}
    found |= {name for (name,) in own.sql("SELECT datname FROM pg_database WHERE NOT datistemplate")}
    return found - {"celery_user", "celery_app", "postgres", "geopython", "geopython-db"}


@pytest.mark.nightly
def test_a_killed_rehearsal_is_removed_by_the_next_command(own: Machine):
    own.workshop("up", "--detach", "postgis", "rabbitmq")
    process = own.popen("class", "rehearse", "--machines", "2")
    try:
        assert begun(process, 2)
        assert "40 of 10,000" in own.workshop("class", "fill", "NT", "--tasks", "40")
        wait_for(lambda: sum(shares(own).values()) == 40, 60, "40 squares")
        assert shares(own).keys() == {"machine02", "machine03"}
    finally:
        process.kill()
    again = own.popen("class", "rehearse", "--machines", "2")
    assert begun(again, 2)
    assert "The rehearsal has ended" in own.workshop("class", "rehearse", "stop")
    assert again.wait(80) == 0, "it ends, too, if it is stopped from elsewhere"
    assert names(own) == set() and not (own.state / "rehearsal").exists()
    assert own.stack()["services"].keys() == {"postgis", "rabbitmq"}
    assert own.workshop("class", "rehearse", "stop") == ""


def test_ctrl_c_ends_it_and_a_machine_that_dies_comes_back(own: Machine):
    """Where nothing runs, it starts servers, and ends them."""
    process = own.popen("class", "rehearse", "--machines", "1")
    assert begun(process, 1)
    before = own.service("machine02")["pid"]
    psutil.Process(before).kill()
    own.until_again("machine02", before, 60)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=480)
    assert process.returncode == 0 and "The rehearsal has ended" in shown, shown
    own.until_gone(set(), 10)
    assert CentralConfig.read() is None


def test_alone_an_attendee_rehearses_with_a_machine_and_down_ends_all(own: Machine):
    """As notebook 03 does it: on 127.0.0.1 only, and nothing is left of it."""
    own.workshop("up", "--detach", *CORE)
    before = [own.service(name)["pid"] for name in ("rabbitmq", "postgis")]
    card = rehearsal.rehearse(machines=1)
    assert (card.machine, card.host) == ("machine01", "127.0.0.1")
    assert {address for each in own.processes() for address, _, _ in listening(each)} <= {"127.0.0.1", "::1"}
    assert rehearsal.rehearse(machines=1) == card
    assert join.join(card.code)
    fill.fill("NT", 150)
    wait_for(lambda: sum(shares(own).values()) == 150, 90, "150 squares")
    assert shares(own).keys() == {"machine01", "machine02"}
    rehearsal.stop()
    assert names(own) == set() and not state_folder.read("joined.json")
    assert [own.service(name)["pid"] for name in ("rabbitmq", "postgis")] == before
    rehearsal.rehearse(machines=1)
    processes = own.processes()
    own.workshop("down")
    own.until_gone(processes, 20)
    assert opened() is None and not (own.state / "rehearsal").exists()
    own.workshop("up", "--detach", "postgis", "rabbitmq")
    assert names(own) == set(), "what was left at the servers goes at their next start"
    a_class_begins_where_the_end_of_a_rehearsal_was_interrupted(own)


def a_class_begins_where_the_end_of_a_rehearsal_was_interrupted(own: Machine) -> None:
    rehearsal.rehearse(machines=1)
    now = opened()
    assert now
    replace(now, passwords=[]).write()
    (card,) = central.start(1)
    assert names(own) == {card.central, card.account} and not (own.state / "rehearsal").exists()
    central.stop()
    assert names(own) == {card.central}, "the squares of a class stay"


@pytest.mark.nightly
def test_it_goes_on_after_a_crash_of_the_stack(own: Machine):
    """All of it ends with the stack; the next start has it again, until it is stopped."""
    own.workshop("up", "--detach", "postgis", "rabbitmq")
    card = rehearsal.rehearse(machines=1)
    processes = own.processes()
    os.kill(own.stack()["pid"], signal.SIGKILL)
    if psutil.LINUX:
        own.until_gone(processes, 40)
    own.workshop("up", "--detach", "postgis", "rabbitmq")
    assert own.service("machine02")["state"] == "ready"
    assert rehearsal.rehearse(machines=1) == card


@pytest.mark.nightly
def test_it_leaves_an_earlier_class_alone(own: Machine):
    """Neither its squares nor the cards that someone may have are touched."""
    own.workshop("up", "--detach", "postgis", "rabbitmq")
    cards = central.start(1)
    with pytest.raises(WorkshopError, match="A central is open on this machine(.|\n)*workshop class stop"):
        rehearsal.rehearse(machines=1)
    assert central.cards() == cards
    Central(own.state).sql("INSERT INTO geopython.task_log (task_id, state, attempt, error, worker) "
                           "VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")  # fmt: skip
    central.stop()
    rehearsal.rehearse(machines=1)
    rehearsal.stop()
    assert central.start(1)[0].central == cards[0].central
    assert Central(own.state).sql("SELECT count(*) FROM geopython.task_log") == [(1,)]
