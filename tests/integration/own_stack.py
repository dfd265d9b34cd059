"""A stack that a test module has for itself, because it breaks it, used from the test's own process."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.conftest import wait_for
from tests.integration.machine import CORE, Machine
from workshop import live
from workshop.delivery.record import Published
from workshop.tasks import do_task

EDINBURGH = (325_200, 673_500)


@contextmanager
def own_stack(folder: Path, *services: str, **environment: str) -> Iterator[Machine]:
    """Start a stack; this process sends its tasks there and reads its rows."""
    machine = Machine(folder / "state")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("BROKER_URL", "DATABASE_URL", "PACE"):
            patch.delenv(f"WORKSHOP_{name}", raising=False)
        patch.setenv("WORKSHOP_STATE", str(machine.state))
        try:
            machine.workshop("up", "--detach", *(services or CORE), **environment)
            yield machine
        finally:
            machine.workshop("down", "--purge")


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process and everything it started for a while, as a machine that hangs."""
    main = psutil.Process(pid)
    every = [main, *main.children(recursive=True)]
    for process in every:
        process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        for process in every:
            process.send_signal(signal.SIGCONT)


def kill(machine: Machine, name: str) -> int:
    """Kill a service of the stack at once; return the number of the process that died."""
    pid = machine.service(name)["pid"]
    psutil.Process(pid).kill()
    return pid


def send(*point: float, **options: object) -> Published:
    id = do_task.apply_async(point or EDINBURGH, task_id=str(uuid4()), **options).id
    return task_of(id)


def task_of(id: str) -> Published:
    return Published(id, do_task.name, list(EDINBURGH), "test", "", confirmed=True)


def done(tasks: list[Published], patience: float = 60) -> live.Progress:
    return live.watch(tasks, quiet=True, patience=patience)


def until_ready(machine: Machine, name: str, before: int) -> None:
    machine.until_again(name, before)
    wait_for(lambda: machine.service("worker1")["state"] == "ready", 45, "a worker that is ready")
