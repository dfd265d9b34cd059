"""One PostgreSQL and one RabbitMQ for a whole run of the tests, and a room of its own there for each file.

Whoever needs them first starts them, by the command that people use; the process that began the run ends
them. A room is a virtual host, a database made from a template, and a state folder whose ``stack.json`` says
what a supervisor would write: where the services are, and that this process answers for them.
"""

import fcntl
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from backstage.stack import postgis, queues, workers
from backstage.stack.environment import of_child
from backstage.stack.process import born, kill_session
from backstage.stack.service import Service
from backstage.stack.site import Site
from backstage.stack.status import running, running_site
from tests.integration.machine import Machine, manage
from tests.waiting import RUN, wait_for
from workshop import state_folder
from workshop.delivery.configuration import DEAD, SQUARES

HASTE = "20"
"""Retries come so many times sooner."""


def start(folder: Path) -> Site:
    """Return the servers of this run; start them unless another process did.

    Parameters
    ----------
    folder : pathlib.Path
        The same for all processes of the run.
    """
    servers = Machine(folder / "state")
    with (folder / "starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if started := not (folder / "template").exists():
            servers.workshop("up", "--detach", "postgis", "rabbitmq")
        token = json.loads((servers.state / "token.json").read_text())["token"]
        site = Site(servers.state, servers.stack()["ports"], token)
        if started:
            with postgis.connect(site, "postgres") as server:  # a template in use can't be copied
                server.execute('ALTER DATABASE "geopython-db" ALLOW_CONNECTIONS false')
            (folder / "template").touch()
    return site


@contextmanager
def at(state: Path, **settings: str) -> Iterator[None]:
    """Let this process use a state folder, and nothing that someone's environment says of the course."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("WORKSHOP_")]:
            patch.delenv(name)
        ours = {"STATE": str(state), "PORTS": "any", "FAULT_RATE": "0", "TESTS": RUN}
        for name, value in (ours | settings).items():
            patch.setenv(f"WORKSHOP_{name}", value)
        yield


@contextmanager
def room(site: Site, state: Path) -> Iterator[Machine]:
    """Make a virtual host with the course's queues and a database with its tables; remove both at the end.

    This process answers for the services: `workshop down` there would end it.
    """
    name = f"room_{secrets.token_hex(4)}"
    servers, broker_url = Machine(site.state), site.broker_url.replace("/celery_app", f"/{name}")
    with at(state), postgis.connect(site, "postgres") as server:
        try:
            manage(servers, "PUT", f"vhosts/{name}", {})
            queues.declare(broker_url)
            server.execute(f'CREATE DATABASE {name} TEMPLATE "geopython-db" OWNER geopython')
            server.execute(f"ALTER ROLE geopython IN DATABASE {name} SET search_path = geopython, public")
            (state_folder.state_dir() / "logs").mkdir()
            state_folder.write("token.json", {"token": site.token})
            addresses = {
                "broker_url": broker_url,
                "database_url": site.database_url.replace("/geopython-db", f"/{name}"),
            }
            _note(site.ports, addresses)
            yield Machine(state)
        finally:
            manage(servers, "DELETE", f"vhosts/{name}")
            server.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def _note(ports: dict[str, int], addresses: dict[str, str], **pids: int) -> None:
    """Write down what runs for a room."""
    ready = {"state": "ready", "message": "", "restarts": 0, "seconds": 0}
    services = dict.fromkeys(("postgis", "rabbitmq"), None) | pids
    state_folder.write(
        "stack.json",
        {"pid": os.getpid(), "born": born(os.getpid()), "ports": ports, "matches": {}}
        | addresses
        | {"services": {name: ready | {"pid": pid} for name, pid in services.items()}},
    )


@contextmanager
def worker(processes: int = 2) -> Iterator[psutil.Process]:
    """Run one worker in the room that this process uses, as a supervisor would, but for starting it again."""
    site, stack = running_site(), running()
    assert site and stack
    ports, addresses = stack["ports"], {name: stack[name] for name in ("broker_url", "database_url")}
    with at(site.state, HASTE=HASTE), program(workers.worker(1, processes), site) as process:
        try:
            _note(ports, addresses, worker1=process.pid)
            yield process
        finally:
            _note(ports, addresses)


@contextmanager
def program(service: Service, site: Site) -> Iterator[psutil.Process]:
    """Run a service's program, once it answers, as a supervisor would, but for starting it again."""
    with site.log(service.name).open("ab") as log:
        process = subprocess.Popen(
            service.command(site),
            env=of_child(service.environment(site)),
            cwd=state_folder.ROOT,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    try:
        wait_for(lambda: process.poll() is not None or not service.trouble(site), 60, service.name)
        assert process.poll() is None, site.log(service.name).read_text()
        yield psutil.Process(process.pid)
        assert process.poll() is None, site.log(service.name).read_text()
    finally:
        kill_session(process.pid)
        process.wait()


@contextmanager
def odd_worker(room: Machine, **environment: str) -> Iterator[Path]:
    """Run a worker with two processes that knows `tests.integration.odd_tasks` too; yield its log."""
    options = ("worker", "-n", "odd@%h", "-c", "2", "--without-mingle", "--without-gossip", "-l", "WARNING")
    path = room.state / "odd.log"
    with path.open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.integration.odd_tasks:application", *options],
            env=room.environment | environment,
            cwd=room.course,
            start_new_session=True,
            stdout=log,
            stderr=log,
        )
    try:
        yield path
        assert process.poll() is None, "the worker has ended"
    finally:
        kill_session(process.pid)
        process.wait()


@dataclass
class Lodger(Machine):
    """A machine that runs workers and no servers: its settings name those of a room."""

    room: Machine | None = None

    @property
    def addresses(self) -> dict[str, str]:
        """The settings that do so."""
        assert self.room
        return {name.upper(): self.room.stack()[name] for name in ("broker_url", "database_url")}

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | {f"WORKSHOP_{name}": url for name, url in self.addresses.items()}


def empty(at: Machine) -> None:
    """Empty queues and tables, as one file leaves services to the next."""
    with at.amqp() as broker:
        for queue in (SQUARES, DEAD):
            broker.default_channel.queue_purge(queue.name)
    at.sql("TRUNCATE geopython.grid_squares, geopython.task_log")
