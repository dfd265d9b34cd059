"""The Celery workers, and Flower, which watches them."""

import re
import socket
import sys
from dataclasses import replace
from pathlib import Path

from backstage.stack import cloud, containers, remote
from backstage.stack.central_config import HOST, CentralConfig
from backstage.stack.http import open_page
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site
from backstage.stack.status import until
from workshop import json_files, settings, state_folder
from workshop.delivery.asking import living

CLASS_FLOWER = "class-flower"

FAST = "fast"
"""The profile of workers with threads instead of processes; see `worker`."""

_GONE = 5
"""Seconds that PostGIS may take to notice the end of the worker before."""


def machine_name() -> str:
    """Return what this machine's workers are called after the @: its host name, or ``WORKSHOP_MACHINE``.

    At a central queue it is the name on the machine's card; containers that share the card add their own.
    """
    name = re.sub(r"[^\w.-]", "-", str(settings.get("machine") or socket.gethostname()))
    return f"{name}-{socket.gethostname()}" if settings.joined() and containers.inside() else name


def worker(number: int, processes: int) -> Service:
    """Return one worker: with processes, or in the fast profile with threads of one process.

    The fast profile is for many short tasks that one trusts. What threads write at the same time is joined
    into one statement (`workshop.database.Joined`), and no task travels from process to process. As ever, a
    message is acknowledged once its task is done, and an outage costs nothing. It lacks what only a process
    of its own gives:

    * soft and hard time limits: a task that hangs keeps its thread, and with the last one the worker;
    * the count of killed processes: a task that kills its process takes its neighbours along, and is
      delivered again for ever, where otherwise the fourth time makes it a dead letter;
    * more than one core: for each core another worker.

    Celery's pool ``solo`` is not offered: it did 7 to 9 tasks a second here while thousands waited. It runs a
    task within a callback of its event loop, and leaves the acknowledgement to the loop as another callback.
    The loop runs what was there when it looked, then waits for the network, and does not look again; RabbitMQ
    has nothing to send until it gets that acknowledgement. So both wait for the next timer. Threads and
    processes end their tasks outside of the loop, and wake it.

    Parameters
    ----------
    number : int
        1 for the first worker of this machine, 2 for the second, and so on.
    processes : int
        How many tasks it runs side by side, each in a process of its own or in a thread.
    """
    pool = "threads" if settings.get("profile") == FAST else "prefork"
    prefetch = settings.get("prefetch")
    options = [f"--prefetch-multiplier={prefetch}"] if prefetch else []
    options += ["-P", pool, "-c", str(processes)]
    return _worker(f"worker{number}", machine_name(), *options)


def _worker(service: str, machine: str, *options: str) -> Service:
    """Return a worker, which asks no other one anything: so it starts a second sooner."""
    name = f"{service}@{machine}"
    command = _celery("worker", "--without-mingle", "--without-gossip", "-n", name, *options)
    return Service(
        service,
        lambda site: command,
        lambda site: _require_session(name, settings.database_url()),
        prepare=lambda site: _require_none_before(name),
        needs=("postgis", "rabbitmq"),
        reloads=True,
        follows="joined",
    )


def _celery(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "workshop.tasks", *arguments, "--loglevel=WARNING"]


def rehearsal_folder() -> Path:
    """Return where a rehearsal's machines have their state folders, each with its ``joined.json``."""
    return state_folder.state_dir() / "rehearsal"


def rehearsed() -> list[str]:
    """Return the names of the machines that this one runs for a rehearsal."""
    return sorted(joined.parent.name for joined in rehearsal_folder().glob("*/joined.json"))


def of_rehearsal(machine: str) -> Service:
    """Return the worker of a machine that joined a rehearsal, with a state folder of its own."""
    folder = rehearsal_folder() / machine
    return replace(
        _worker("worker1", machine, "-c", "1"),
        name=machine,
        probe=lambda site: _require_session(
            f"worker1@{machine}", json_files.read(folder / "joined.json")["database_url"]
        ),
        environment=lambda site: {"WORKSHOP_STATE": str(folder)},
        prepare=lambda site: None,
        follows="",
    )


def _require_none_before(name: str) -> None:
    """Raise `NotReady` if another worker has that name: its session would count as this one's."""
    if reason := remote.trouble():
        raise NotReady(f"{reason} {remote.WAY_BACK}")
    if not until(lambda: name not in living(settings.database_url()), _GONE):
        raise NotReady(f"another worker is at work as {name}: end it, or give it a name such as -n mine@%h")


def _require_session(name: str, database_url: str) -> None:
    if name not in living(database_url):
        raise NotReady(f"{name} has no session at PostGIS yet")


def flower(central: CentralConfig | None = None) -> Service:
    """Return Flower; that of a central is at its address, with a password of its own, and to look at only."""

    def watched(site: Site) -> Site:
        return site.of(central) if central else site

    def command(site: Site) -> list[str]:
        return _celery(
            "flower",
            f"--address={containers.listen(central.address if central else HOST)}",
            f"--port={site.ports['flower']}",
            "--inspect_timeout=3000",  # milliseconds that a busy worker has to answer
            f"--url_prefix={cloud.below().lstrip('/')}flower",
            f"--read_only={bool(central)}",
        )

    def environment(site: Site) -> dict[str, str]:
        return {
            "CELERY_BROKER_URL": watched(site).broker_url,  # also if this machine joined another one
            "FLOWER_BROKER_API": site.management_url.replace("//", "//celery_user:secret@") + "/api/",
            "FLOWER_BASIC_AUTH": f"flower:{central.flower if central else site.token}",
        }

    def probe(site: Site) -> None:
        open_page(f"{watched(site).flower_url}/healthcheck", timeout=2).close()

    name = CLASS_FLOWER if central else "flower"
    return Service(name, command, probe, environment=environment, needs=("rabbitmq",))
