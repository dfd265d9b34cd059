"""A private stack whose workers and producer reach it through relays; nothing of it is left afterwards."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.faults.relay import HOST, Relays
from tests.faults.strikes import Scene
from tests.integration.machine import CORE, Machine
from workshop import settings

WORKERS, PROCESSES = 3, 2


@contextmanager
def stage(pace: float, logs: Path | None) -> Iterator[Scene]:
    """Start everything, and end it however the context ends.

    Parameters
    ----------
    pace : float
        Milliseconds that each task of the course waits.
    logs : pathlib.Path, optional
        Where to leave the logs of the services.
    """
    folder = Path(tempfile.mkdtemp(prefix="workshop-chaos-"))
    machine = Machine(folder / "state")
    _use(machine)
    ports = {name: _port(machine, name) for name in ("rabbitmq", "postgis")}
    with Relays(ports).running() as relays:  # workers need them until they have stopped
        try:
            addresses = _join(relays)
            _start(machine, pace)
            assert settings.broker_url() == addresses["broker_url"], "a cut of the network would cut nothing"
            yield Scene(machine, relays)
        finally:
            if logs:
                shutil.copytree(machine.state / "logs", logs, dirs_exist_ok=True)
            machine.workshop("down", "--purge")
            shutil.rmtree(folder, ignore_errors=True)


def _use(machine: Machine) -> None:
    """Let this process, as a producer, use the private stack and nothing else."""
    for name in [name for name in os.environ if name.startswith("WORKSHOP_")]:
        del os.environ[name]
    os.environ["WORKSHOP_STATE"] = str(machine.state)


def _port(machine: Machine, name: str) -> Callable[[], int]:
    return lambda: machine.stack()["ports"][name]


def _join(relays: Relays) -> dict[str, str]:
    """Point this process, and the workers that it starts, to the relays."""
    addresses = {
        "broker_url": f"amqp://celery_user:secret@{HOST}:{relays.port('rabbitmq')}/celery_app",
        "database_url": (
            f"postgresql+psycopg://geopython:geopython@{HOST}:{relays.port('postgis')}/geopython-db"
        ),
    }
    os.environ.update({f"WORKSHOP_{name.upper()}": url for name, url in addresses.items()})
    return addresses


def _start(machine: Machine, pace: float) -> None:
    machine.workshop(
        "up",
        "--detach",
        *CORE,
        WORKSHOP_WORKERS=str(WORKERS),
        WORKSHOP_PROCESSES=str(PROCESSES),
        WORKSHOP_PACE=str(pace),
        **{name: os.environ[name] for name in ("WORKSHOP_BROKER_URL", "WORKSHOP_DATABASE_URL")},
    )
