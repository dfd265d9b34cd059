"""In a burst tasks are handed over; what becomes of them is said within seconds, by whoever comes next.

The ids that an error names are sent again in each test, and end as exactly one row each.
"""

import math
import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import nbformat
import psutil
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from tests.conftest import wait_for
from tests.integration.machine import Machine, frozen
from tests.integration.own_stack import LIMIT, done, kill, task_of, until_ready
from workshop import maps
from workshop.delivery import publisher, window
from workshop.delivery.ledger import ledger, requeue
from workshop.delivery.publisher import NotSent
from workshop.delivery.record import published
from workshop.tasks import do_task


@pytest.fixture(autouse=True)
def one_burst(machine, monkeypatch):
    """However slow this machine is, one call follows the other; and nothing but the connection is open."""
    with suppress(NotSent):
        publisher.flush()
    do_task.delay(1000, 1000)
    publisher.flush()
    monkeypatch.setattr(publisher, "BURST", math.inf)
    monkeypatch.setattr(window, "SETTLE", 5)


def burst(number: int = 20, **options: object) -> list[str]:
    return [do_task.apply_async((1000 * n, 2000), **options).id for n in range(1, number + 1)]


def unconfirmed(ids: list[str]) -> list[str]:
    return [task.id for task in published() if task.id in ids and not task.confirmed]


def one_row_each(ids: list[str]) -> None:
    """Wait until nothing is on its way, so that what was sent twice has run twice."""
    assert done([task_of(id) for id in ids]).done == len(ids)
    wait_for(lambda: not (now := ledger([])).waiting and not now.held, what="an empty queue")
    assert sorted(maps.read_squares(ids).task_id.astype(str)) == sorted(ids)


@contextmanager
def told(number: int, sentence: str) -> Iterator[pytest.ExceptionInfo[NotSent]]:
    """Require that an error says this about so many tasks, in time, and that these can be sent again."""
    began = time.monotonic()
    with pytest.raises(NotSent) as error:
        yield error
    assert time.monotonic() - began < LIMIT
    assert sentence in str(error.value)
    assert len(error.value.tasks) == number


def test_a_burst_is_confirmed_in_batches(machine):
    before = len(published())
    ids = burst(450)
    publisher.flush()
    assert [task.id for task in published()[before:] if task.confirmed] == ids
    lines = (machine.state / "published.jsonl").read_text().splitlines()
    assert sum('"confirmed"' in line for line in lines[-460:]) <= 10
    one_row_each(ids)


def test_a_lone_task_is_waited_for(machine, monkeypatch):
    monkeypatch.setattr(publisher, "BURST", 0)
    assert not unconfirmed(burst(3))


def test_nothing_stays_open_for_long(machine):
    ids = burst()
    wait_for(lambda: not unconfirmed(ids), 10, "what nobody waits for")
    one_row_each(ids)


def test_the_next_delay_tells_of_those_before(machine):
    with frozen(machine.service("rabbitmq")["pid"]):
        ids = burst()
        wait_for(lambda: not publisher._window._open, 10, "the end of patience")
        with told(21, f"{ids[0]} and the others") as error:
            do_task.delay(21000, 2000)
    assert error.value.tasks[-1].id not in ids
    error.value.send_again()
    one_row_each([task.id for task in error.value.tasks])


def test_a_connection_that_breaks_costs_nothing(machine):
    """What is open goes over a fresh one. RabbitMQ has read it all before: the ids make one row of two."""
    with frozen(machine.service("rabbitmq")["pid"]):
        ids = burst()
        publisher._window._connection.transport.sock.shutdown(socket.SHUT_RDWR)
    publisher.flush()
    assert not unconfirmed(ids)
    one_row_each(ids)


def test_a_broker_that_dies_in_the_middle(machine):
    with frozen(machine.service("rabbitmq")["pid"]):
        burst()
        before = kill(machine, "rabbitmq")
    wait_for(lambda: not psutil.pid_exists(before), what="its end")
    with told(20, "The connection broke before RabbitMQ confirmed the task. Nothing listens") as error:
        publisher.flush()
    until_ready(machine, "rabbitmq", before)
    error.value.send_again()
    one_row_each([task.id for task in error.value.tasks])


def test_each_thread_is_told_in_time(machine, monkeypatch):
    monkeypatch.setattr(publisher, "BURST", 0)
    do_task.delay(1000, 1000)

    def refused(_: int) -> NotSent:
        began = time.monotonic()
        with pytest.raises(NotSent) as error:
            do_task.delay(1000, 2000)
        assert time.monotonic() - began < LIMIT + 0.5
        return error.value

    with frozen(machine.service("rabbitmq")["pid"]), ThreadPoolExecutor(3) as threads:
        errors = list(threads.map(refused, range(3)))
    for error in errors:
        error.send_again()
    one_row_each([task.id for error in errors for task in error.tasks])


def test_a_forked_child_waits_and_leaves_its_parents_window_alone(machine):
    def send(answer: multiprocessing.SimpleQueue) -> None:
        ids = burst()
        answer.put((ids, unconfirmed(ids)))

    fork = multiprocessing.get_context("fork")
    answer = fork.SimpleQueue()
    ours = burst()
    child = fork.Process(target=send, args=(answer,))
    child.start()
    ours += burst()
    theirs, left_open = answer.get()
    child.join()
    publisher.flush()
    assert not left_open and not unconfirmed(ours)
    one_row_each(ours + theirs)


@pytest.fixture
def ctrl_c():
    """Hear it, even if these tests were started behind an ``&``, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_loses_nothing(machine):
    with frozen(machine.service("rabbitmq")["pid"]):
        ids = burst()
        threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
        with pytest.raises(KeyboardInterrupt):
            publisher.flush()
    ids += burst(3)  # over a fresh connection, whose channel counts anew
    publisher.flush()
    assert not unconfirmed(ids)
    one_row_each(ids)


UNCONFIRMED = "RabbitMQ did not confirm the task within 3 s. So it is with 20 tasks"

FREEZE = """
import json, math, os, psutil, signal
from workshop.delivery import publisher
from workshop.state_folder import state_dir
from workshop.tasks import do_task
publisher.BURST = math.inf
pid = json.loads((state_dir() / "stack.json").read_text())["services"]["rabbitmq"]["pid"]
do_task.delay(1000, 2000); publisher.flush()
for process in [main := psutil.Process(pid), *main.children(recursive=True)]: process.suspend()
for n in range(20): do_task.delay(1000 * n, 3000)
"""


@contextmanager
def thawed(machine: Machine) -> Iterator[None]:
    """Let the broker go on at the end, which others stop."""
    try:
        yield
    finally:
        main = psutil.Process(machine.service("rabbitmq")["pid"])
        for process in [main, *main.children(recursive=True)]:
            process.resume()


def test_a_script_ends_with_1(machine):
    before = len(published())
    with thawed(machine):
        ended = machine.python(FREEZE + "print('the last line')")
    assert ended.stdout == "the last line\n"
    assert ended.stderr.startswith(f"Error: {UNCONFIRMED}")
    assert ended.returncode == 1
    sent = published()[before:]
    requeue([task for task in sent if not task.confirmed])
    one_row_each([task.id for task in sent])


def test_a_cell_fails_beside_its_own_error_and_those_after_it_do_not_run(machine):
    before = len(published())
    cells = [nbformat.v4.new_code_cell(source) for source in (FREEZE + "1 / 0", "print('not reached')")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    with thawed(machine), pytest.raises(CellExecutionError):
        NotebookClient(notebook, kernel_name="python3", timeout=240).execute()
    said = [output["evalue"] for output in cells[0].outputs if output.output_type == "error"]
    assert said[0] == "division by zero" and said[1].startswith(UNCONFIRMED)
    assert not cells[1].outputs
    sent = published()[before:]
    requeue([task for task in sent if not task.confirmed])
    one_row_each([task.id for task in sent])


def test_what_the_error_of_a_cell_advises_is_done_in_the_next_one(machine):
    before = len(published())
    thaw = "for process in [main, *main.children(recursive=True)]: process.resume()\n"
    advice = "import sys; sys.last_value.send_again()"
    cells = [nbformat.v4.new_code_cell(source) for source in (FREEZE, thaw + advice)]
    cells[0].metadata.tags = ["raises-exception"]
    with thawed(machine):
        NotebookClient(nbformat.v4.new_notebook(cells=cells), kernel_name="python3", timeout=240).execute()
    assert advice in cells[0].outputs[-1]["evalue"]
    sent = published()[before:]
    assert all(task.confirmed for task in sent)
    one_row_each([task.id for task in sent])
