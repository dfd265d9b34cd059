"""What this machine's workers are called, at home, at a central, and in containers."""

from pathlib import Path

import pytest

from workshop import machine
from workshop.stack import centrally, plan
from workshop.stack.site import Site
from workshop.stack.workers import machine_name

JOINED = {"broker_url": "amqp://machine07:hidden@10.77.0.1:5672/celery_app", "machine": "machine07"}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.delenv("WORKSHOP_PUBLISHED", raising=False)
    monkeypatch.setenv("WORKSHOP_MACHINE", "laptop")
    monkeypatch.setattr("socket.gethostname", lambda: "3f2a")


def test_at_a_central_it_is_the_name_on_the_card() -> None:
    assert machine_name() == "laptop"
    machine.write("joined.json", JOINED)
    assert machine_name() == "machine07"
    assert centrally.place() == "machine07 at 10.77.0.1:5672"


def test_containers_that_share_a_card_have_names_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    machine.write("joined.json", JOINED)
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8888")
    assert machine_name() == "machine07-3f2a"


def test_a_large_machine_leaves_sessions_at_the_central(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: 24)
    monkeypatch.delenv("WORKSHOP_PROCESSES", raising=False)
    site = Site(machine.state_dir(), {}, "token")
    assert plan.service("worker1").command(site)[-2] == "24"
    machine.write("joined.json", JOINED)
    assert plan.service("worker1").command(site)[-2] == "8"


def test_periodic_tasks_stay_at_home() -> None:
    assert "periodic" in plan.services(("worker",), periodic=True)
    machine.write("joined.json", JOINED)
    assert set(plan.services(("worker",), periodic=True)) == {"worker1"}
