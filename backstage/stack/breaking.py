"""Breaks this course's own running services on purpose, so that one can see whether anything gets lost.

Each function strikes while worker1 is in the middle of a task, then waits until everything is ready again.
What was broken, and when, stands in ``broken.jsonl``, which the check of challenge 4 reads.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any

import psutil
from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import OperationalError

from backstage.stack import containers
from backstage.stack.process import born
from backstage.stack.status import elsewhere, running, until
from backstage.stack.workers import machine_name
from workshop import settings, state_folder
from workshop.delivery.report import ask
from workshop.delivery.topology import SQUARES
from workshop.errors import WorkshopError

FILE = "broken.jsonl"
WORKER = "worker1"

PATIENCE = 60
"""Seconds until what was killed must be ready again, and to wait for a task to run while there are some."""

_QUIET = 3
_TROUBLE = (OSError, OperationalError, AMQPError)

_IN_CONTAINERS = (
    "the services run in containers, which can't reach each other's programs.\n"
    "Next: in a terminal of your own computer, in the course's folder: docker compose kill worker\n"
    "(or rabbitmq, or postgis), then docker compose up --detach. Nothing gets lost there either"
)


def kill_worker() -> None:
    """Kill worker1 with all its processes while tasks run, and wait until it is ready again."""
    text = "worker1 was killed in the middle of its tasks. It was started again, and is ready."
    _break("worker", WORKER, lambda main, _: _family(main), text)


def kill_process() -> None:
    """Kill one of worker1's processes in the middle of a task, and wait until it has a new one."""
    text = "One process of worker1 was killed in the middle of a task. worker1 has a new one."
    _break("process", WORKER, lambda _, busy: busy[:1], text)


def restart_broker() -> None:
    """Kill RabbitMQ while tasks run, and wait until it is ready again."""
    text = "RabbitMQ was killed while tasks were running. It was started again, and is ready."
    _break("broker", "rabbitmq", lambda main, _: _family(main), text)


def restart_database() -> None:
    """Kill PostGIS while tasks run, and wait until it is ready again."""
    text = "PostGIS was killed while tasks were running. It was started again, and is ready."
    _break("database", "postgis", lambda main, _: _family(main), text)


def broken(since: str) -> set[str]:
    """Return what was broken since a moment: ``worker``, ``process``, ``broker``, ``database``.

    Parameters
    ----------
    since : str
        The moment (UTC, ISO 8601).
    """
    try:
        lines = (state_folder.state_dir() / FILE).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    return {note["what"] for note in map(json.loads, lines) if note["at"] >= since}


Choice = Callable[[psutil.Process, list[psutil.Process]], list[psutil.Process]]
"""Chooses what to kill: out of a service's main process and the worker's processes that run a task."""


def _break(what: str, service: str, choose: Choice, text: str) -> None:
    if refusal := _refusal(service):
        print(f"Nothing was broken: {refusal}")
        return
    main = psutil.Process(_condition(service)["pid"])
    size = len(main.children())
    with _held_still() as busy:
        victims = choose(main, busy) if busy else []
        for victim in victims:
            with suppress(psutil.NoSuchProcess):
                victim.kill()
    if not victims:
        print("Nothing was broken: no task is running. Next: send tasks, and break while they run")
        return
    _note(what, len(busy))
    if not until(lambda: _is_back(service, main, victims, size) and _is_ready(WORKER), PATIENCE):
        raise WorkshopError(f"{service} is not ready after {PATIENCE} s.", "workshop status")
    print(text)


def _refusal(service: str) -> str:
    """Return why a service can't be broken; empty if it can."""
    if containers.inside():
        return _IN_CONTAINERS
    if others := elsewhere():
        return f"{others[0]}. Only this machine's own services are broken on purpose"
    if running() is None:
        return "the services were not started here by workshop up. Next: workshop up"
    for name in (WORKER, service):
        condition = _condition(name)
        if not condition:
            return f"the services were started without {name}. Next: workshop down, then workshop up"
        if condition["state"] != "ready" or born(condition["pid"]) != condition["born"]:
            return f"{name} is not ready. Next: workshop status; when it is, the same again"
    return ""


def _condition(service: str) -> dict[str, Any]:
    return (running() or {"services": {}})["services"].get(service, {})


def _family(main: psutil.Process) -> list[psutil.Process]:
    return [main, *main.children(recursive=True)]


def _is_back(service: str, main: psutil.Process, victims: list[psutil.Process], size: int) -> bool:
    """Return whether a service runs in full again: anew, or with as many processes as before."""
    now = _condition(service)
    if now.get("state") != "ready" or now["pid"] != main.pid:
        return now.get("state") == "ready"
    with suppress(psutil.NoSuchProcess):
        return main not in victims and len(set(main.children()) - set(victims)) >= size
    return False


def _is_ready(service: str) -> bool:
    """Return whether a service is ready; a worker ends with its broker, and is started anew."""
    return _condition(service).get("state") == "ready"


def _note(what: str, tasks: int) -> None:
    """Write down what was broken just now, and in the middle of how many tasks."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    with (state_folder.state_dir() / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"what": what, "tasks": tasks, "at": at}) + "\n")


@contextmanager
def _held_still() -> Iterator[list[psutil.Process]]:
    """Hold worker1's processes still for a moment, and let them go on afterwards.

    Yields
    ------
    list of psutil.Process
        Those that are in the middle of a task; none if there is no task to run.
    """
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and until(_has_work, _QUIET):
        if _at_work():
            with _suspended() as processes:
                pids = _at_work()
                if busy := [process for process in processes if process.pid in pids]:
                    yield busy
                    return
    yield []


@contextmanager
def _suspended() -> Iterator[list[psutil.Process]]:
    processes = psutil.Process(_condition(WORKER)["pid"]).children()
    try:
        for process in processes:
            process.suspend()
        yield processes
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def _has_work() -> bool:
    """Return whether messages wait in the queue, or worker1 holds some."""
    url = settings.broker_url()
    with suppress(*_TROUBLE), Connection(url, connect_timeout=3) as connection:
        if SQUARES(connection.default_channel).queue_declare(passive=True).message_count:
            return True
    return bool((_ask("course_report") or {}).get("held"))


def _at_work() -> set[int]:
    """Return the numbers of worker1's processes that run a task."""
    return {task["worker_pid"] for task in _ask("active") or []}


def _ask(command: str) -> Any:
    """Return what worker1 answers to a command; None if it does not answer, as after a lost connection."""
    name = f"{WORKER}@{machine_name()}"
    with suppress(*_TROUBLE):
        return ask(settings.broker_url(), command, destination=[name], timeout=1).get(name)
    return None
