"""Nothing is broken that is not this machine's own, or that does not run; a sentence says why."""

import json
import os
from datetime import UTC, datetime, timedelta

import pytest

from backstage.stack import breaking
from backstage.stack.central_config import CentralConfig
from backstage.stack.process import born
from workshop import state_folder

BREAKS = [breaking.kill_worker, breaking.kill_process, breaking.restart_broker, breaking.restart_database]


pytestmark = pytest.mark.usefixtures("state")


def write_stack(**states: str) -> None:
    """Describe a stack whose programs ended long ago; their numbers belong to this process now."""
    dead = {"pid": os.getpid(), "born": 1.0}
    services = {name: dead | {"state": state} for name, state in states.items()}
    state_folder.write("stack.json", {"pid": os.getpid(), "born": born(os.getpid()), "services": services})


@pytest.mark.parametrize("strike", BREAKS, ids=lambda strike: strike.__name__)
def test_services_that_do_not_run(strike, capsys):
    strike()
    said = "Nothing was broken: the services were not started here by workshop up. Next: workshop up\n"
    assert capsys.readouterr().out == said


@pytest.mark.parametrize("strike", BREAKS, ids=lambda strike: strike.__name__)
def test_services_of_others(strike, capsys):
    state_folder.write("joined.json", {"broker_url": "amqp://central"})
    strike()
    assert capsys.readouterr().out == (
        "Nothing was broken: this machine joined a central queue, so tasks go there. "
        "Only this machine's own services are broken on purpose\n"
    )


def test_what_a_class_works_on(capsys):
    soon = datetime.now(UTC) + timedelta(hours=1)
    CentralConfig("c7f3", soon, {1: "secret"}, "192.168.8.10").write()
    write_stack(worker1="ready")
    breaking.kill_worker()
    assert "Nothing was broken: a class is open at 192.168.8.10" in capsys.readouterr().out


def test_a_part_that_was_not_started(capsys):
    write_stack(postgis="ready", rabbitmq="ready")
    breaking.restart_broker()
    assert "started without worker1. Next: workshop down" in capsys.readouterr().out


@pytest.mark.parametrize("condition", ["broken", "ready"])
def test_a_process_that_ended_meanwhile(condition, capsys):
    """A later process with the same number, here this one, is left alone."""
    write_stack(worker1=condition)
    breaking.kill_worker()
    assert "Nothing was broken: worker1 is not ready. Next: workshop status" in capsys.readouterr().out


def test_what_was_broken_since(state):
    notes = [
        {"what": "worker", "at": "2026-01-01T10:00:00.000+00:00"},
        {"what": "broker", "at": "2026-01-01T10:00:05.000+00:00"},
    ]
    assert breaking.broken("2026") == set()
    (state / breaking.FILE).write_text("".join(json.dumps(note) + "\n" for note in notes), encoding="utf-8")
    assert breaking.broken("2026") == {"worker", "broker"}
    assert breaking.broken("2026-01-01T10:00:05.000+00:00") == {"broker"}
