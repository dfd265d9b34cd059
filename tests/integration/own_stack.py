"""A stack that a test module has for itself, because it breaks it, used from the test's own process."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from uuid import uuid4

import psutil
import pytest
import sqlalchemy as sa

from backstage.stack import rabbitmq
from backstage.stack.ports import free_ports
from backstage.stack.queues import declare
from backstage.stack.site import Site
from tests.conftest import wait_for
from tests.integration.machine import CORE, Machine
from tests.servers import at, program
from tests.waiting import PATIENCE
from workshop import db, live, maps
from workshop.database import execute
from workshop.delivery import publisher
from workshop.delivery.ledger import ledger
from workshop.delivery.publisher import NotSent
from workshop.delivery.record import Published
from workshop.tasks import do_task

EDINBURGH = (325_200, 673_500)

LIMIT = 5.5 * PATIENCE
"""Seconds until a sender is told: five, and a little, for a busy machine."""


@contextmanager
def own_stack(folder: Path, *services: str, **environment: str) -> Iterator[Machine]:
    """Start a stack; this process sends its tasks there and reads its rows."""
    machine = Machine(folder / "state")
    with at(machine.state):
        try:
            machine.workshop("up", "--detach", *(services or CORE), **environment)
            yield machine
        finally:
            machine.workshop("down", "--purge")


def kill(machine: Machine, name: str) -> int:
    """Kill a service of the stack at once; return the number of the process that died."""
    pid = machine.service(name)["pid"]
    psutil.Process(pid).kill()
    return pid


def send(*point: float, **options: object) -> Published:
    id = do_task.apply_async(point or EDINBURGH, task_id=str(uuid4()), **options).id
    return task_of(id, *point)


def task_of(id: str, *point: float) -> Published:
    return Published(id, do_task.name, list(point or EDINBURGH), "test", "", confirmed=True)


def done(tasks: list[Published], patience: float = 60) -> live.Progress:
    return live.watch(tasks, quiet=True, patience=patience)


def until_ready(machine: Machine, name: str, before: int) -> None:
    machine.until_again(name, before)
    wait_for(lambda: machine.service("worker1")["state"] == "ready", 45, "a worker that is ready")


def send_some(number: int = 40) -> list[Published]:
    tasks = [send(1000.0 * n, 2000.0 * n) for n in range(1, number + 1)]
    publisher.flush()
    return tasks


def all_at_the_first_attempt(tasks: list[Published]) -> None:
    """Require that each task ended as one row, at the cost of no retry."""
    end = done(tasks)
    assert (end.done, end.failed, end.retried) == (len(tasks), 0, 0)
    rows = maps.read_squares([task.id for task in tasks])
    assert set(rows.attempt) == {1}
    now = ledger(tasks)
    assert now.balanced and not now.dead and not now.missing


def refusal(**options: object) -> NotSent:
    """Send a task that can't be sent, and return what the sender is told."""
    began = time.monotonic()
    with pytest.raises(NotSent) as told:
        do_task.apply_async(EDINBURGH, **options)
    assert time.monotonic() - began < LIMIT
    assert "Next: workshop status" in str(told.value)
    assert told.value.task_id in str(told.value)
    return told.value


def sent_again_makes_one_row(id: str) -> None:
    """Send what was refused under its id; had the broker taken it all the same, there is one row yet."""
    do_task.apply_async(EDINBURGH, task_id=id)
    done([task_of(id)])
    marker = do_task.delay(*EDINBURGH).id
    done([task_of(marker)])
    assert len(maps.read_squares([id])) == 1


@contextmanager
def broker_that_wants_more_disk(folder: Path) -> Iterator[str]:
    """Run a broker of its own, and yield its address."""
    site = Site(folder, free_ports(), token="")
    rabbitmq.prepare(site)
    told = folder / "rabbitmq" / "rabbitmq.conf"
    told.write_text(told.read_text().replace("50MB", "900000GB"))
    (folder / "logs").mkdir()
    with program(rabbitmq.SERVICE, site):
        declare(site.broker_url)
        yield site.broker_url


def good_task_runs() -> None:
    assert done([task_of(do_task.delay(*EDINBURGH).id)]).done == 1


@contextmanager
def no_nations() -> Iterator[None]:
    """Take the nations out of the database for a while."""
    nations = execute(sa.select(db.UkBoundary.code, db.UkBoundary.name, db.UkBoundary.geom)).all()
    execute(sa.delete(db.UkBoundary))
    try:
        yield
    finally:
        for code, name, geom in nations:
            execute(sa.insert(db.UkBoundary), {"code": code, "name": name, "geom": geom})


@contextmanager
def gone(machine: Machine, name: str) -> Iterator[None]:
    """Kill a service, and again whenever its supervisor has brought it back, until the end."""
    before, over = machine.service(name)["pid"], Event()

    def keep_down() -> None:
        while not over.wait(0.02):
            with suppress(psutil.NoSuchProcess, FileNotFoundError):
                psutil.Process(machine.service(name)["pid"]).kill()

    main = psutil.Process(before)
    main.kill()
    psutil.wait_procs([main], timeout=5)
    thread = Thread(target=keep_down)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        until_ready(machine, name, before)
