"""The Celery workers, and Flower, which watches them."""

import socket
import sys
from dataclasses import replace
from pathlib import Path

from celery import Celery

from backstage.stack import cloud, containers, remote
from backstage.stack.central_config import HOST, CentralConfig
from backstage.stack.http import open_page
from backstage.stack.process import born
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site
from workshop import settings, state_folder
from workshop.delivery import presence

CLASS_FLOWER = "class-flower"


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
        follows="joined",
    )


def _celery(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "celery", "-A", module, *arguments, "--loglevel=WARNING"]


def rehearsal_folder() -> Path:
    """Return where a rehearsal's machines have their state folders, each with its ``joined.json``."""
    return state_folder.state_dir() / "rehearsal"


def rehearsed() -> list[str]:
    """Return the names of the machines that this one runs for a rehearsal."""
    return sorted(joined.parent.name for joined in rehearsal_folder().glob("*/joined.json"))


def of_rehearsal(machine: str) -> Service:
    """Return the worker of a machine that joined a rehearsal, with a state folder of its own."""
    folder, name = f"rehearsal/{machine}/", f"worker1@{machine}"
    return replace(
        _worker("worker1", machine, "workshop.tasks", "-c", "1"),
        name=machine,
        probe=lambda site: _require_note(name, folder),
        environment=lambda site: {"WORKSHOP_STATE": str(rehearsal_folder() / machine)},
        prepare=lambda site: presence.forget(name, folder),
        follows="",
    )


def _prepare(name: str) -> None:
    presence.forget(name)
    remote.require_broker()


def _probe(name: str) -> None:
    """Ask a worker for a sign of life; at a central queue nobody can, and its own note must do."""
    if settings.joined():
        _require_note(name)
        return
    with Celery(broker=settings.broker_url(), set_as_current=False) as application:
        application.conf.broker_connection_timeout = 3
        if not application.control.ping(destination=[name], timeout=0.5):
            raise NotReady(f"{name} does not answer a ping")


def _require_note(name: str, folder: str = "") -> None:
    note = presence.note_of(name, folder)
    here = note.get("host") == socket.gethostname()  # another container's processes can't be seen
    if not note or (here and born(note["pid"]) is None):
        raise NotReady(f"{name} has not said that it is ready")


def _flower_environment(site: Site) -> dict[str, str]:
    return {
        "CELERY_BROKER_URL": site.broker_url,  # of these services, also if the machine joined others
        "FLOWER_BROKER_API": site.management_url.replace("//", "//celery_user:secret@") + "/api/",
        "FLOWER_BASIC_AUTH": f"flower:{site.token}",
    }


def _flower_command(site: Site) -> list[str]:
    return _celery(
        "workshop.tasks",
        "flower",
        f"--address={containers.listen(site.hosts.get('flower', HOST))}",
        f"--port={site.ports['flower']}",
        "--inspect_timeout=3000",  # milliseconds that a busy worker has to answer
        f"--url_prefix={cloud.below().lstrip('/')}flower",
    )


def _flower_probe(site: Site) -> None:
    open_page(f"{site.flower_url}/healthcheck", timeout=2).close()


FLOWER = Service(
    "flower", _flower_command, _flower_probe, environment=_flower_environment, needs=("rabbitmq",)
)


def class_flower(central: CentralConfig) -> Service:
    """Return Flower for a central, at its address, with a password of its own, and to look at only."""
    password = {"FLOWER_BASIC_AUTH": f"flower:{central.flower}"}
    return replace(
        FLOWER,
        name=CLASS_FLOWER,
        command=lambda site: [*_flower_command(site.of(central)), "--read_only=True"],
        probe=lambda site: _flower_probe(site.of(central)),
        environment=lambda site: _flower_environment(site.of(central)) | password,
    )
