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

from backstage.stack import plan
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
    """Return how each service is and what is wished, as ``stack.json`` says elsewhere: each is asked now."""
    site = new_site()
    wanted = plan.services(("worker",))
    commands = {name: each.command(site) for name, each in wanted.items() if name.startswith("worker")}
    others = {name: each for name, each in (plan.FIXED | wanted).items() if name not in commands}
    services = {name: _asked(each, site) for name, each in others.items()}
    return {"matches": plan.wishes(), "services": services | _workers(commands)}


def _asked(service: Service, site: Site) -> dict[str, Any]:
    trouble = service.trouble(site)
    return asdict(Status("starting" if trouble else "ready", message=trouble or ""))


def _workers(commands: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Return how each worker is that is wanted in a container or lives there, such as ``worker1@3f2a``.

    It is ready once it runs the code as saved, unless that does not compile, by the command as wished. At a
    central nobody can be asked for the latter.
    """
    alive, reports = {}, {}
    with suppress(psycopg.Error, OSError, OperationalError, AMQPError):  # nobody can tell without them
        alive = living(settings.database_url())
        reports = ask(settings.broker_url(), "course_report", limit=len(alive)) if alive else {}
    alive = {name: digest for name, digest in alive.items() if name.startswith("worker")}
    hosts = sorted({name.partition("@")[2] for name in alive})
    wanted = {f"{name}@{host}": each for host in hosts for name, each in commands.items()} or commands
    saved, problem, found = code_digest(), syntax_error(), {}
    for name in dict.fromkeys([*wanted, *alive]):
        state = "starting" if name in wanted else "stopping"
        if state == "starting" and name in alive and (problem or alive[name] == saved):
            runs = reports.get(name, {}).get("command", [])
            if settings.joined() or _without_names(runs) == _without_names(wanted[name]):
                state = "ready"
        older = f"still the version before: {problem}" if problem and name in alive else ""
        found[name] = asdict(Status(state, message=older))
    return found


def _without_names(command: list[str]) -> list[str]:
    return [each for each in command[1:] if "@" not in each]
