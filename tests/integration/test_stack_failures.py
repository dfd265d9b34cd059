"""Starts that can't succeed: the person learns what, why and what next, and nothing keeps running."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.machine import Machine, copy_course
from workshop.state_folder import claim


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "state")
    yield machine
    machine.workshop("down", "--purge")
    machine.until_gone(set(), 5)


def test_a_half_made_database_is_made_anew_and_a_spoilt_one_is_named(machine: Machine) -> None:
    """On the way: an environment that sends tasks elsewhere is mentioned."""
    claim(machine.state)
    draft = machine.state / "postgis.draft"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("15\n")
    shown = machine.workshop("up", "--detach", "postgis", WORKSHOP_BROKER_URL="amqp://guest@127.0.0.1:9/")
    assert "READY" in shown and "Note: WORKSHOP_BROKER_URL is set" in shown
    assert "PostGIS " in shown
    for absent in ("Flower ", "JupyterLab ", "RabbitMQ "):
        assert absent not in shown
    assert machine.sql("SELECT count(*) FROM uk_boundary") == [(5,)]
    assert not draft.exists()
    machine.workshop("down")

    shutil.rmtree(machine.state / "postgis" / "global")
    shown = machine.workshop("up", "--detach", "postgis", code=3)
    assert "Error: postgis did not start: it ended with exit code" in shown
    assert "pg_control" in shown
    assert "Next: " in shown
    assert "workshop down --purge" in shown
    machine.until_gone(set(), 5)


def test_a_missing_program_is_named(machine: Machine, tmp_path: Path) -> None:
    initdb = tmp_path / "conda" / "bin" / "initdb"
    control = tmp_path / "conda" / "share" / "extension" / "postgis.control"
    for path in (initdb, control):
        path.parent.mkdir(parents=True)
        path.touch()
    shown = machine.workshop("up", "postgis", code=3, CONDA_PREFIX=str(tmp_path / "conda"))
    assert "Error: postgis did not start" in shown
    assert "initdb" in shown


def test_a_course_folder_that_can_not_be_written_to(tmp_path: Path) -> None:
    """The state goes to the user's own state directory. A link to nowhere is in the way."""
    course = copy_course(tmp_path / "course")
    (course / ".workshop").symlink_to(tmp_path / "nowhere" / "at all")
    machine = Machine(tmp_path / "unused", course)
    environment = {"WORKSHOP_STATE": "", "XDG_STATE_HOME": str(tmp_path / "home")}
    shown = machine.workshop("doctor", code=3, **environment)
    assert f"data and logs are in {tmp_path}/home/workshop/" in shown
    assert f"as {course}/.workshop is not this user's or ignores permissions" in shown
