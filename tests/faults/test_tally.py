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


@pytest.mark.parametrize(
    ("lost", "strangers", "not_refused"), [([], 0, []), (["a task"], 0, []), ([], 1, []), ([], 0, [7])]
)
def test_a_run_is_good_only_without_a_loss(
    room: Machine, lost: list[str], strangers: int, not_refused: list[int]
) -> None:
    room.sql("TRUNCATE geopython.grid_squares")
    done = {str(uuid4()), str(uuid4())}
    for task in [*done, *(str(uuid4()) for _ in range(strangers))]:
        store(room, task)
    run: Any = SimpleNamespace(accepted=done | {*lost}, malformed={*not_refused})
    found = tally(room, run, run.accepted)
    assert (found.lost, found.strangers, found.not_refused) == (lost, strangers, not_refused)
    assert Result(1.0, found).good == (not lost and not strangers and not not_refused)
