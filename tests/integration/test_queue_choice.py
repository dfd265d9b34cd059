"""What the choice of the queue promises, also on RabbitMQ 4 and for a worker that may declare nothing."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.broker import Broker
from benchmarks.queue_runs import GUESTS, Bench, Case
from workshop.stack.running import running_site

pytestmark = pytest.mark.challenge(2)


def measure(case: Case) -> dict[str, Any]:
    site = running_site()
    assert site is not None
    broker = Broker(site.broker_url, site.management_url)
    return Bench(broker, site.database_url, patience=20).measure(case)


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_loses_nothing(stack: Path, guest: str) -> None:
    """It may declare nothing on the broker, and send only to one exchange or two."""
    environment = {"BENCH_GUEST": guest, "WORKSHOP_FAULT_RATE": "0.3", "WORKSHOP_HASTE": "10"}
    found = measure(Case(guest, 60, 3, environment))
    assert (found["rows"], found["dead"], found["lost"]) == (60, 3, 0)
    assert found["retries"] > 10


@pytest.mark.parametrize("qos", ["consumer", "as it is"])
def test_retries_that_wait_keep_no_task_waiting(stack: Path, qos: str) -> None:
    """With a countdown of 5 s, a worker that stood still until the first is due would be idle for 4 s."""
    rates = {"WORKSHOP_FAULT_RATE": "0.2", "WORKSHOP_PACE": "20", "WORKSHOP_HASTE": "2"}
    found = measure(Case(qos, 200, environment=rates | {"BENCH_QOS": qos}))
    assert (found["rows"], found["lost"]) == (200, 0)
    assert found["idle"] < 2.5
