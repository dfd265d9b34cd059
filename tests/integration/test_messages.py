"""Messages that are no tasks stop no worker: each is refused with its reason, and the next good task runs."""

from uuid import uuid4

import pytest

from tests.conftest import wait_for
from tests.integration.own_stack import good_task_runs, task_of
from tests.messages import MALFORMED, body, message, publish
from workshop import live, settings, state_folder
from workshop.delivery.ledger import ledger, letters
from workshop.delivery.record import Published
from workshop.tasks import do_task

pytestmark = pytest.mark.usefixtures("worker")


def codes() -> list[str]:
    return [letter.fault.partition(":")[0] for letter in letters(known=[do_task.name])]


def test_each_is_refused_and_the_worker_lives(worker):
    before, seen = worker.children(), codes()
    publish(settings.broker_url(), *(parts for _, parts in MALFORMED.values()))
    wait_for(lambda: len(codes()) == len(seen) + len(MALFORMED), what="all in the queue 'dead'")
    assert sorted(codes()) == sorted([*seen, *(code for code, _ in MALFORMED.values())])
    good_task_runs()
    assert worker.children() == before
    log = (state_folder.state_dir() / "logs" / "worker1.log").read_text()
    assert 'Refused a message, now in the queue "dead": NO-ID: there is no header "id"' in log


@pytest.mark.parametrize("args", [[], [1], [1, 2, 3]])
def test_wrong_arguments_fail_with_a_sentence(args):
    id = str(uuid4())
    publish(settings.broker_url(), message(body(args), id=id))
    task = Published(id, do_task.name, args, "test", "")
    assert live.watch([task], quiet=True).failed == 1
    reason = ledger([task]).dead[id]
    assert reason.startswith("TypeError: do_task() ")
    good_task_runs()


@pytest.fixture
def expired():
    """A task that was sent with an expiry and met no worker in time."""
    id = str(uuid4())
    publish(settings.broker_url(), message(id=id, expires="2020-01-01T00:00:00Z"))
    return task_of(id)


def test_an_expired_task_does_not_vanish(expired):
    assert live.watch([expired], quiet=True, patience=80).failed == 1
    assert ledger([expired]).dead == {expired.id: "the task was expired"}
    good_task_runs()
