"""Computers unlike others: the course goes on there, or shows why it can't."""

from pathlib import Path

import psutil
import pytest

from tests.integration.machine import Machine
from tests.integration.odd_machine import IS_ROOT, NAMELESS, ROOT_ALONE, OddMachine


@pytest.mark.parametrize(
    ("before", "reason"),
    [(ROOT_ALONE, "setpriv: "), (NAMELESS, "could not look up effective user ID 54321")],
    ids=["root without other accounts", "a user whose number has no name"],
)
def test_where_postgresql_refuses_it_is_shown_why(
    before: tuple[str, ...], reason: str, tmp_path: Path
) -> None:
    machine = OddMachine(tmp_path / "state", before=before)
    shown = machine.workshop("up", "postgis", code=3, HOME="/nowhere")
    assert "postgis did not start: initdb ended with exit code" in shown
    assert reason in shown
    assert "purge" not in shown


@pytest.mark.skipif(not IS_ROOT, reason="only root can run PostgreSQL as another account")
def test_root_runs_the_database_as_another_account(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state")
    try:
        machine.workshop("up", "--detach", "postgis")
        server = psutil.Process(machine.service("postgis")["pid"])
        assert server.username() != "root"
    finally:
        assert "Removed" in machine.workshop("down", "--purge")
