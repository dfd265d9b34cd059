"""A worker that may declare nothing on the broker, and send only to one exchange or two, loses nothing."""

from pathlib import Path

import pytest

from benchmarks.broker import Broker
from benchmarks.queue_runs import GUESTS, Bench, Case
from workshop.stack.running import running_site

FAULTS = {"WORKSHOP_FAULT_RATE": "0.3", "WORKSHOP_HASTE": "10"}


@pytest.mark.challenge(2)
@pytest.mark.parametrize("guest", GUESTS)
def test_a_guest_loses_nothing(stack: Path, guest: str) -> None:
    site = running_site()
    assert site is not None
    bench = Bench(Broker(site.broker_url, site.management_url), site.database_url, patience=20)
    found = bench.measure(Case(guest, 60, 3, FAULTS | {"BENCH_GUEST": guest}))
    assert (found["rows"], found["dead"], found["lost"]) == (60, 3, 0)
    assert found["retries"] > 10
