"""Breaks this course's own running services on purpose, so that one can see whether anything gets lost.

Each function strikes while worker1 is in the middle of a task, then waits until everything is ready again.
What was broken, and when, stands in ``broken.jsonl``, which the check of challenge 4 reads.
"""

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import psutil
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError

from backstage.stack import containers
from backstage.stack.central_config import open_to_others
from backstage.stack.process import born
from backstage.stack.status import elsewhere, running, statuses, until
from backstage.stack.workers import machine_name
from workshop import settings, state_folder
from workshop.delivery.report import ask
from workshop.errors import WorkshopError

FILE = "broken.jsonl"
WORKER = "worker1"

PATIENCE = 60
"""Seconds until what was killed must be ready again."""

_QUIET = 10
"""Seconds to wait for a task to run."""

_IN_CONTAINERS = (
    "the services run in containers, which can't reach each other's programs.\n"
    "Next: in a terminal of your own computer, in the course's folder: docker compose kill worker\n"
    "(or rabbitmq, or postgis), then docker compose up --detach. Nothing gets lost there either"
)


def kill_worker() -> None:
    """Kill worker1 with all its processes while tasks run, and wait until it is ready again."""
    text = "worker1 was killed in the middle of its tasks. It was started again, and is ready."
    _break("worker", WORKER, text)


def kill_process() -> None:
    """Kill one of worker1's processes in the middle of a task, and wait until it has a new one."""
    text = "One process of worker1 was killed in the middle of a task. worker1 has a new one."
    _break("process", WORKER, text)


def restart_broker() -> None:
    """Kill RabbitMQ while tasks run, and wait until it is ready again."""
    text = "RabbitMQ was killed while tasks were running. It was started again, and is ready."
    _break("broker", "rabbitmq", text)


def restart_database() -> None:
    """Kill PostGIS while tasks run, and wait until it is ready again."""
    text = "PostGIS was killed while tasks were running. It was started again, and is ready."
    _break("database", "postgis", text)


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


def _break(what: str, service: str, text: str) -> None:
    if refusal := _refusal(service):
        print(f"Nothing was broken: {refusal}")
        return
    main = psutil.Process(_status(service)["pid"])
    size = len(_processes_of_worker())
    busy = _busy_processes()
    if not busy:
        print("Nothing was broken: no task is running. Next: send tasks, and break while they run")
        return
    victims = busy[:1] if what == "process" else [main, *main.children(recursive=True)]
    for victim in victims:
        with suppress(psutil.NoSuchProcess):
            victim.kill()
    _note(what)
    if not until(lambda: _is_whole(service, victims, size), PATIENCE):
        raise WorkshopError(f"{service} is not ready after {PATIENCE} s.", "workshop status")
    print(text)


def _refusal(service: str) -> str:
    """Return why a service can't be broken; empty if it can."""
    if containers.inside():
        return _IN_CONTAINERS
    if others := elsewhere():
        return f"{others[0]}. Only this machine's own services are broken on purpose"
    if address := open_to_others():
        return f"a class is open at {address}, and its work goes on here. Next: workshop class stop"
    if running() is None:
        return "the services were not started here by workshop up. Next: workshop up"
    for name in (WORKER, service):
        status = _status(name)
        if not status:
            return f"the services were started without {name}. Next: workshop down, then workshop up"
        if status["state"] != "ready" or born(status["pid"]) != status["born"]:
            return f"{name} is not ready. Next: workshop status; when it is, the same again"
    return ""


def _status(service: str) -> dict[str, Any]:
    return statuses().get(service, {})


def _processes_of_worker() -> list[psutil.Process]:
    return psutil.Process(_status(WORKER)["pid"]).children()


def _busy_processes() -> list[psutil.Process]:
    """Return those of worker1's processes that run a task; none if there is no task to run."""
    name, end = f"{WORKER}@{machine_name()}", time.monotonic() + _QUIET
    while time.monotonic() < end:
        # Whatever was asked may end meanwhile.
        with suppress(OSError, OperationalError, AMQPError, psutil.NoSuchProcess, KeyError):
            tasks = ask(settings.broker_url(), "active", destination=[name], timeout=1).get(name, [])
            pids = {task["worker_pid"] for task in tasks}
            if busy := [process for process in _processes_of_worker() if process.pid in pids]:
                return busy
        time.sleep(0.1)
    return []


def _is_whole(service: str, victims: list[psutil.Process], size: int) -> bool:
    """Return whether a service is ready anew, and the worker too, with as many processes as before.

    A worker ends with its broker, and is started again.
    """
    found = [_status(name) for name in (service, WORKER)]
    if not all(each.get("state") == "ready" for each in found):
        return False
    with suppress(psutil.NoSuchProcess):
        processes = {psutil.Process(found[0]["pid"]), *_processes_of_worker()}
        return processes.isdisjoint(victims) and len(processes) > size
    return False


def _note(what: str) -> None:
    """Write down what was broken just now."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds")
    with (state_folder.state_dir() / FILE).open("a", encoding="utf-8") as file:
        file.write(json.dumps({"what": what, "at": at}) + "\n")
