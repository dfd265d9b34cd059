"""The Celery workers, and Flower, which watches them."""

import socket
import sys

from celery import Celery

from backstage.stack import cloud, containers, remote
from backstage.stack.http import open_page
from backstage.stack.process import born
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site
from workshop import settings, state_folder
from workshop.delivery import presence


def machine_name() -> str:
    """Return what this machine's workers are called after the @: its host name, or ``WORKSHOP_MACHINE``.

    At a central queue it is the name on the machine's card; containers that share the card add their own.
    """
    name = str(settings.get("machine") or socket.gethostname())
    return f"{name}-{socket.gethostname()}" if settings.joined() and containers.inside() else name


def worker(number: int, processes: int, machine: str | None = None) -> Service:
    """Return one worker.

    Parameters
    ----------
    number : int
        1 for the first worker of this machine, 2 for the second, and so on.
    processes : int
        How many tasks it runs side by side.
    machine : str, optional
        What its machine is called, if it is not this one.
    """
    return _worker(f"worker{number}", machine or machine_name(), "workshop.tasks", "-c", str(processes))


def periodic() -> Service:
    """Return the worker of the periodic tasks, which also keeps their clock."""
    clock = f"--schedule={state_folder.state_dir() / 'beat-schedule'}"
    options = ("-c", "1", "-Q", "periodic", "--beat", clock)
    return _worker("periodic", machine_name(), "workshop.periodic", *options)


def _worker(service: str, machine: str, module: str, *options: str) -> Service:
    """Return a worker, which asks no other one anything: so it starts a second sooner."""
    name = f"{service}@{machine}"
    command = _celery(module, "worker", "--without-mingle", "--without-gossip", "-n", name, *options)
    return Service(
        service,
        lambda site: command,
        lambda site: _probe(name),
        prepare=lambda site: _prepare(name),
        needs=("postgis", "rabbitmq"),
        reloads=True,
    )


def _celery(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", module, *arguments, "--loglevel=WARNING"]


def _prepare(name: str) -> None:
    presence.forget(name)
    remote.require_broker()


def _probe(name: str) -> None:
    """Ask a worker for a sign of life; at a central queue nobody can, and its own note must do."""
    if settings.joined():
        note = presence.note_of(name)
        here = note.get("host") == socket.gethostname()  # another container's processes can't be seen
        if not note or (here and born(note["pid"]) is None):
            raise NotReady(f"{name} has not said that it is ready")
        return
    with Celery(broker=settings.broker_url(), set_as_current=False) as application:
        application.conf.broker_connection_timeout = 3
        if not application.control.ping(destination=[name], timeout=0.5):
            raise NotReady(f"{name} does not answer a ping")


def _flower_environment(site: Site) -> dict[str, str]:
    queues = site.management_url.replace("//", f"//celery_user:{site.broker_password}@") + "/api/"
    return {
        "CELERY_BROKER_URL": site.broker_url,  # this stack's own, also if the machine joined another
        "FLOWER_BROKER_API": queues,
        "FLOWER_BASIC_AUTH": f"flower:{site.flower_password}",
    }


def _flower_command(site: Site) -> list[str]:
    return _celery(
        "workshop.tasks",
        "flower",
        f"--address={containers.listen(site.flower_host)}",
        f"--port={site.ports['flower']}",
        "--inspect_timeout=3000",  # milliseconds that a busy worker has to answer
        *(["--read_only=True"] if site.central else []),
        f"--url_prefix={cloud.below().lstrip('/')}flower",
    )


FLOWER = Service(
    "flower",
    _flower_command,
    lambda site: open_page(f"{site.flower_url}/healthcheck", timeout=2).close(),
    environment=_flower_environment,
    needs=("rabbitmq",),
)
