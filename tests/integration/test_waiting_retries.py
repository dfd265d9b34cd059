"""Tasks that wait for the time of their retry keep no other task waiting, on RabbitMQ 3 and 4."""

import pytest

from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.integration.own_stack import done, send
from tests.servers import odd_worker
from workshop import live, maps, settings
from workshop.service import is_faulty

POINTS = [(1000.0 * n, 2000.0 * n) for n in range(1, 200)]


@pytest.mark.challenge(2)
@pytest.mark.parametrize("version", ["RabbitMQ 3", "RabbitMQ 4"])
def test_retries_that_wait_keep_no_task_waiting(room: Machine, version: str) -> None:
    """A worker with two places holds eight tasks that wait; those that come then are done before them."""
    settings.change(fault_rate=0.5)
    fail_once = [point for point in POINTS if is_faulty(*point, 0) and not is_faulty(*point, 1)][:8]
    good = [point for point in POINTS if not is_faulty(*point, 0)][:20]
    with odd_worker(room, ODD_QOS=version):
        run = [send(*point) for point in fail_once]
        wait_for(lambda: len(live.read_log(task.id for task in run)) == 8, what="eight retries")
        run += [send(*point) for point in good]
        assert done(run).done == len(run)
    rows = maps.read_squares(task.id for task in run)
    again = rows[rows.attempt == 2]
    assert len(again) == 8
    assert rows[rows.attempt == 1].processed_at.max() < again.processed_at.min()
