"""What counts the end of a chaos run sees a loss; otherwise `test_chaos` would prove nothing."""

from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from tests.faults.tally import Result, tally
from tests.integration.machine import Machine


def store(room: Machine, task: str) -> None:
    room.sql(
        "INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt) "
        "VALUES (%s, 'NT2573', 'SCT', 325200, 673500, "
        "ST_MakeEnvelope(325000, 673000, 326000, 674000, 27700), 'worker1', 1)",
        task,
    )


@pytest.fixture
def run(room: Machine) -> SimpleNamespace:
    """What a producer knows of two tasks that have their rows."""
    accepted = {str(uuid4()), str(uuid4())}
    for task in accepted:
        store(room, task)
    yield SimpleNamespace(accepted=accepted, malformed=set())
    room.sql("TRUNCATE geopython.grid_squares")


def is_good(room: Machine, run: Any, known: set[str]) -> bool:
    return Result(1.0, tally(room, run, known)).good


def test_a_run_without_loss_is_good(room: Machine, run: Any) -> None:
    assert is_good(room, run, run.accepted)


def test_a_task_without_a_row_is_lost(room: Machine, run: Any) -> None:
    lost = str(uuid4())
    run.accepted.add(lost)
    assert tally(room, run, run.accepted).lost == [lost]
    assert not is_good(room, run, run.accepted)


def test_a_row_of_no_task_is_a_stranger(room: Machine, run: Any) -> None:
    store(room, str(uuid4()))
    assert tally(room, run, run.accepted).strangers == 1
    assert not is_good(room, run, run.accepted)


def test_a_malformed_message_that_nobody_refused_is_named(room: Machine, run: Any) -> None:
    run.malformed.add(7)
    assert tally(room, run, run.accepted).not_refused == [7]
    assert not is_good(room, run, run.accepted)
