"""A pause of the workers: messages wait in the queue meanwhile, and nobody has to end it."""

import time
from collections.abc import Iterator

import pytest

from backstage import pause, resume
from backstage.challenges import health
from tests.conftest import wait_for
from tests.integration.own_stack import EDINBURGH, done, send
from workshop import live, settings
from workshop.delivery.asking import ask

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
def _go_on() -> Iterator[None]:
    yield
    resume()


def held() -> set[str]:
    [report] = ask(settings.broker_url(), "course_report", limit=1).values()
    return set(report["held"])


def test_the_workers_go_on_by_themselves() -> None:
    pause(1)
    pause(3)  # the latest one counts
    began = time.monotonic()
    assert done([send(*EDINBURGH)]).done == 1
    assert time.monotonic() - began > 2.5


def test_a_message_waits_until_they_are_told_to_go_on() -> None:
    pause(60)
    task = send(*EDINBURGH)
    assert live.progress([task]).waiting == 1
    [line] = health.workers()
    assert "runs the code as saved; it is paused for " in line
    resume()
    assert done([task], patience=120).done == 1


def test_what_a_worker_has_begun_runs_on() -> None:
    settings.change(pace=1500)
    task = send(*EDINBURGH)
    wait_for(lambda: task.id in held(), what="the task in the worker")
    pause(60)
    settings.change(pace=0)
    assert done([task], patience=120).done == 1
    assert "paused" in health.workers()[0]
