"""The course in containers: what each of them runs, and how all are, asked of the services themselves.

Docker starts again what ends. What a person changes (settings, a joined central) is in one folder that the
containers share; the lab's programs write there, the worker's follow.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError

from backstage.stack import plan, workers
from backstage.stack.environment import of_child
from backstage.stack.service import Service, Status
from backstage.stack.site import Site, new_site
from backstage.stack.status import until
from backstage.stack.supervisor import Supervisor
from backstage.stack.texts import refusal
from backstage.stack.watch import syntax_error
from workshop import settings, state_folder
from workshop.delivery.asking import ask, code_digest, living
from workshop.errors import WorkshopError

_PATIENCE = 60
"""Seconds that PostGIS and RabbitMQ have; then Docker starts this container again."""


def prepare() -> None:
    """Make what PostGIS and RabbitMQ lack, before anything runs here.

    Raises
    ------
    WorkshopError
        If this user may not write in the course's folder, or if a service does not answer.
    """
    if not os.access(state_folder.ROOT, os.W_OK):
        own = {"user": os.getuid(), "group": os.getgid()}
        raise refusal("not-writable", owner=state_folder.ROOT.stat(), **own)
    settings.check()
    site = new_site()
    for name in ("postgis", "rabbitmq"):
        _complete(plan.FIXED[name], site)


def _complete(service: Service, site: Site) -> None:
    if not until(lambda: service.trouble(site) is None, _PATIENCE):
        wrong = f"{service.name} does not answer: {service.trouble(site)}"
        raise WorkshopError(wrong, f"docker compose logs {service.name}")
    service.finish(site)


def run(part: str, say: Callable[[str], None]) -> None:
    """Run a container's program in place of this one; the worker's is the supervisor, with workers only.

    Parameters
    ----------
    part : str
        The container: ``flower``, ``lab`` or ``worker``.
    say : callable
        Shows a line.
    """
    site = new_site()
    if part == "worker":
        own = replace(site, state=Path(mkdtemp()))  # what a supervisor says of itself is read by nobody here
        asyncio.run(Supervisor(own, ("worker",), say).run(lambda: None))
        return
    service = plan.FIXED[part]
    command = service.command(site)
    os.execve(command[0], command, of_child(service.environment(site)))


def running() -> dict[str, Any]:
    """Return what a supervisor writes into ``stack.json`` elsewhere, by asking each service now."""
    site = new_site()
    supervised = plan.services(("worker",))
    machines = {name: each for name, each in supervised.items() if name.startswith("machine")}
    services = {name: _asked(each, site) for name, each in (plan.FIXED | machines).items()}
    services |= _workers([name for name in supervised if name not in machines])
    return {
        "ready": all(each["state"] == "ready" for each in services.values()),
        "ports": site.ports,
        "broker_url": site.broker_url,
        "database_url": site.database_url,
        "matches": plan.wishes(),
        "services": services,
    }


def _asked(service: Service, site: Site) -> dict[str, Any]:
    trouble = service.trouble(site)
    return asdict(Status("starting" if trouble else "ready", message=trouble or ""))


def _workers(names: list[str]) -> dict[str, dict[str, Any]]:
    """Return how each worker is that is wanted in a container or lives there, such as ``worker1@3f2a``."""
    try:
        alive = living(settings.database_url())
    except psycopg.Error:  # nobody can tell without it
        alive = {}
    alive = {name: digest for name, digest in alive.items() if name.startswith("worker")}
    hosts = sorted({name.partition("@")[2] for name in alive})
    wanted = [f"{name}@{host}" for host in hosts for name in names] or names
    right, problem = _right_ones(alive), syntax_error()
    found = {}
    for name in dict.fromkeys([*wanted, *alive]):
        state = "stopping" if name not in wanted else "ready" if name in right else "starting"
        older = f"still the version before: {problem}" if problem and name in alive else ""
        found[name] = asdict(Status(state, message=older))
    return found


def _right_ones(alive: dict[str, str]) -> set[str]:
    """Return the workers that run the code as saved, unless it does not compile, and their tasks as wished.

    At a central nobody can be asked how many that are.
    """
    saved = {name for name, digest in alive.items() if digest == code_digest() or syntax_error()}
    if settings.joined() or not alive:
        return saved
    processes, answers = settings.get("processes") or plan.usual_processes(), {}
    with suppress(OSError, OperationalError, AMQPError):  # the broker may be away
        answers = ask(settings.broker_url(), "stats", timeout=1, limit=len(alive))
    pools = {name: answer["pool"] for name, answer in answers.items() if "pool" in answer}
    running = {name: (pool["implementation"], pool["max-concurrency"]) for name, pool in pools.items()}
    pool = "thread" if settings.get("profile") == workers.FAST else "prefork"
    wanted = f"celery.concurrency.{pool}:TaskPool", processes
    ahead = processes * (settings.get("prefetch") or 0)  # more while a worker holds what is due later

    def is_right(name: str) -> bool:
        return running.get(name) == wanted and answers[name]["prefetch_count"] >= ahead

    return {name for name in saved if is_right(name)}
