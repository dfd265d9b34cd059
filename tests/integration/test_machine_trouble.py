"""Computers unlike others: the course goes on there, or says in a sentence why it can't."""

import os
from pathlib import Path

import psutil
import pytest

from tests.integration.machine import Machine
from tests.integration.odd_machine import IS_ROOT, NAMELESS, NAMELESS_ALONE, ROOT_ALONE, OddMachine


def test_a_user_whose_number_has_no_name(tmp_path: Path) -> None:
    machine = OddMachine(tmp_path / "state", before=NAMELESS)
    try:
        assert "READY\n" in machine.workshop("up", "--detach", "postgis", HOME="/nowhere")
        assert machine.sql("SELECT count(*) FROM uk_boundary") == [(5,)]
    finally:
        machine.workshop("down", "--purge")


@pytest.mark.parametrize(
    ("before", "reason"),
    [(ROOT_ALONE, "number 0 can't become one here"), (NAMELESS_ALONE, "number 54321 can't become one here")],
    ids=["root", "nameless"],
)
def test_without_namespaces_it_is_said_who_can_start_it(
    before: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    machine = OddMachine(tmp_path / "state", before=before)
    shown = machine.workshop("up", "postgis", code=3)
    assert reason in shown
    assert "Next: the same as an ordinary user of this computer, or with Docker" in shown
    assert "purge" not in shown


@pytest.mark.skipif(not IS_ROOT, reason="only root can run PostgreSQL as another account")
def test_root_runs_the_database_as_another_account(tmp_path: Path) -> None:
    """Files that root copied serve, too."""
    machine = Machine(tmp_path / "state")
    try:
        machine.workshop("up", "--detach", "postgis")
        server = psutil.Process(machine.service("postgis")["pid"])
        assert server.username() != "root"
        machine.sql("CREATE TABLE notes (note text)")
        machine.sql("INSERT INTO notes VALUES ('kept')")
        processes = machine.processes()
        psutil.Process(machine.stack()["pid"]).kill()
        machine.until_gone(processes, 20)
        for path in (machine.state / "postgis", *(machine.state / "postgis").rglob("*")):
            os.chown(path, 0, 0)
        machine.workshop("up", "--detach", "postgis")
        assert machine.sql("SELECT note FROM notes") == [("kept",)]
    finally:
        assert "Removed" in machine.workshop("down", "--purge")
