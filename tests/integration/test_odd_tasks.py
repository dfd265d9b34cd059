"""Whatever a task's own code does, the worker lives, and the task ends as one row or one dead letter."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.conftest import wait_for
from tests.integration import odd_tasks
from tests.integration.own_stack import EDINBURGH, done, good_task_runs, no_nations, task_of
from tests.servers import odd_worker
from workshop import maps
from workshop.delivery.ledger import ledger


@pytest.fixture(scope="module")
def worker(room) -> Iterator[Path]:
    with odd_worker(room, ODD_WITNESS=str(room.state / "witness")) as log:
        yield log


def send(task) -> str:
    return task.apply_async(EDINBURGH, task_id=str(uuid4())).id


def reason(id: str, seconds: float = 40) -> str:
    """Return why a task became a dead letter."""
    wait_for(lambda: ledger([task_of(id)]).balanced, seconds, "an end of the task")
    return ledger([task_of(id)]).dead[id]


def test_each_is_a_dead_letter_with_its_reason(worker):
    ends = {
        odd_tasks.dies: "WorkerLostError: The process that ran it ended, 4 times",
        odd_tasks.leaves: "RuntimeError: The task called exit(3)",
        odd_tasks.out_of_memory: "RuntimeError: The task found no memory",
        odd_tasks.never_ends: "TimeLimitExceeded",
    }
    sent = {send(task): why for task, why in ends.items()}
    for id, why in sent.items():
        assert why in reason(id)
    good_task_runs()


def test_a_process_that_died_once_costs_no_retry(worker):
    id = send(odd_tasks.dies_once)
    assert done([task_of(id)]).done == 1
    assert list(maps.read_squares([id]).attempt) == [1]


@pytest.mark.parametrize("task", [odd_tasks.swallows, odd_tasks.retries_everything], ids=["logs", "retries"])
def test_an_outage_costs_nothing_whatever_becomes_of_its_error(worker, task):
    before = worker.stat().st_size
    with no_nations():
        id = send(task)
        wait_for(lambda: b"goes back to the queue" in worker.read_bytes()[before:], what="a task given back")
    end = done([task_of(id)])
    assert (end.done, end.retried) == (1, 0)
    assert list(maps.read_squares([id]).attempt) == [1]
