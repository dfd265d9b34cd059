"""What the choice of the queue promises, also on RabbitMQ 4 and for a worker that may declare nothing."""

from typing import Any

import pytest

from benchmarks.broker import Broker
from benchmarks.queue_runs import GUESTS, Bench, Case
from workshop import settings
from workshop.stack.site import Site

pytestmark = [pytest.mark.challenge(2), pytest.mark.usefixtures("room")]


def measure(servers: Site, case: Case) -> dict[str, Any]:
    """Run a case in a virtual host of its own, with the database of this file's room."""
    broker = Broker(servers.broker_url, servers.management_url)
    return Bench(broker, settings.database_url(), patience=20).measure(case)


@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_loses_nothing(servers: Site, guest: str) -> None:
    """It may declare nothing on the broker, and send only to one exchange or two."""
    environment = {"BENCH_GUEST": guest, "WORKSHOP_FAULT_RATE": "0.3", "WORKSHOP_HASTE": "10"}
    found = measure(servers, Case(guest, 60, 3, environment))
    assert (found["rows"], found["dead"], found["lost"]) == (60, 3, 0)
    assert found["retries"] > 10


@pytest.mark.parametrize("qos", ["consumer", "as it is"])
def test_retries_that_wait_keep_no_task_waiting(servers: Site, qos: str) -> None:
    """With a countdown of 5 s, a worker that stood still until the first is due would be idle for 4 s."""
    rates = {"WORKSHOP_FAULT_RATE": "0.2", "WORKSHOP_PACE": "20", "WORKSHOP_HASTE": "2"}
    found = measure(servers, Case(qos, 200, environment=rates | {"BENCH_QOS": qos}))
    assert (found["rows"], found["lost"]) == (200, 0)
    assert found["idle"] < 2.5
