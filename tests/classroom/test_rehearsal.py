"""A rehearsal runs joined machines on this one, and leaves nothing behind, however it ends."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from backstage.classroom import central, fill, join, rehearsal
from backstage.stack.status import CENTRAL, running
from tests.conftest import wait_for
from tests.integration.machine import CORE, Machine, listening, lives
from tests.servers import at
from workshop import state_folder
from workshop.errors import WorkshopError


@pytest.fixture(autouse=True)
def own(tmp_path: Path) -> Iterator[Machine]:
    """A state folder of its own, in which nothing runs."""
    own = Machine(tmp_path / "state")
    with at(own.state):
        yield own
        own.workshop("class", "rehearse", "stop")
        own.workshop("down", "--purge")
        own.until_gone(set(), 20)


def shares(own: Machine) -> dict[str, int]:
    query = "SELECT machine, count(*) FROM geopython.grid_squares GROUP BY 1"
    return dict(Machine(own.state / "central").sql(query))


def begun(process: subprocess.Popen[str], machines: int) -> bool:
    """Wait until a rehearsal says that all machines work; return whether it does."""
    assert process.stdout
    begin = f"{machines} machines work for the central at 127.0.0.1."
    return any(line.startswith(begin) for line in process.stdout)


@pytest.mark.nightly
def test_machines_work_until_the_rehearsal_is_killed_and_the_next_command_removes_the_rest(own: Machine):
    process = own.popen("class", "rehearse", "--machines", "2")
    try:
        assert begun(process, 2)
        assert "40 of 10,000" in own.workshop("class", "fill", "NT", "--tasks", "40")
        wait_for(lambda: sum(shares(own).values()) == 40, 60, "40 squares")
        assert shares(own).keys() == {"machine02", "machine03"}
        everyone = own.processes() - {psutil.Process(process.pid)}
    finally:
        process.kill()
    central = Machine(own.state / "central").processes()
    wait_for(lambda: not any(map(lives, everyone - central)), 60, "an end of the machines")
    assert "The rehearsal has ended" in own.workshop("class", "rehearse", "stop")
    assert not any(map(lives, central))
    assert not (own.state / "central").exists() and not (own.state / "rehearsal").exists()
    assert own.workshop("class", "rehearse", "stop") == ""


def test_ctrl_c_ends_it_and_a_machine_that_dies_comes_back(own: Machine):
    process = own.popen("class", "rehearse", "--machines", "1")
    assert begun(process, 1)
    there = Machine(own.state / "rehearsal" / "machine02")
    before = there.service("worker1")["pid"]
    psutil.Process(before).kill()
    there.until_again("worker1", before, 60)
    process.send_signal(signal.SIGINT)
    shown, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "The rehearsal has ended" in shown, shown
    own.until_gone(set(), 10)
    assert not state_folder.read(rehearsal.FILE)


def test_alone_an_attendee_rehearses_with_two_machines_and_down_ends_all(own: Machine):
    """As notebook 03 does it: on 127.0.0.1 only, and nothing is left of it."""
    own.workshop("up", "--detach", *CORE)
    card = rehearsal.rehearse(machines=2)
    assert (card.machine, card.host) == ("machine01", "127.0.0.1")
    its = Machine(own.state / "central").processes()
    assert {address for each in its for address, _, _ in listening(each)} <= {"127.0.0.1", "::1"}
    assert rehearsal.rehearse(machines=2) == card
    assert join.join(card.code)
    fill.fill("NT", 150)
    wait_for(lambda: sum(shares(own).values()) == 150, 90, "150 squares")
    assert shares(own).keys() == {"machine01", "machine02", "machine03"}
    processes = own.processes()
    assert len(processes) > 10
    own.workshop("down")
    own.until_gone(processes, 20)
    assert not running(CENTRAL) and not state_folder.read("joined.json")
    assert not (own.state / "central").exists()


@pytest.mark.nightly
def test_the_central_ends_with_a_killed_stack(own: Machine):
    """Nothing keeps running, and the next start is at home again."""
    own.workshop("up", "--detach", "rabbitmq")
    (started,) = central.start(1)
    urls = started.broker.url, started.database.url
    state_folder.write("joined.json", dict(zip(("broker_url", "database_url"), urls, strict=True)))
    processes = own.processes() | Machine(own.state / "central").processes()
    assert state_folder.read("central/stack.json")["pid"] in {each.pid for each in processes}
    os.kill(own.stack()["pid"], signal.SIGKILL)
    if psutil.LINUX:
        own.until_gone(processes, 40)
    own.workshop("down")
    own.until_gone(processes, 2)
    assert not (own.state / "central").exists()
    assert not (own.state / "joined.json").exists()


@pytest.mark.nightly
def test_it_leaves_an_earlier_class_alone(own: Machine):
    """Neither its squares nor the cards that someone may have are touched."""
    own.workshop("up", "--detach", "rabbitmq")
    folder = own.state / "central"
    (folder / "postgis").mkdir(parents=True)
    assert not central._wished(None, 1, "127.0.0.1", 12, False).with_stack
    (folder / "postgis").rmdir()
    assert central._wished(None, 1, "127.0.0.1", 12, False).with_stack
    folder.rmdir()

    cards = central.start(1)
    with pytest.raises(WorkshopError, match="A central runs on this machine(.|\n)*workshop class stop"):
        rehearsal.rehearse(machines=1)
    assert central.cards() == cards and not state_folder.read(rehearsal.FILE)


def test_it_says_what_is_missing(own: Machine, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(WorkshopError, match="workshop up"):
        rehearsal.rehearse()
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8888")
    with pytest.raises(WorkshopError, match="workshop scale 3"):
        rehearsal.rehearse()
    monkeypatch.delenv("WORKSHOP_PUBLISHED")
    assert not state_folder.read(rehearsal.FILE)
