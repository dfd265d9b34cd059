"""What one running stack knows about itself: its folder, its ports, its passwords."""

import secrets
import socket
from dataclasses import dataclass
from pathlib import Path

from workshop import settings

USUAL_PORTS = {
    "postgis": 5432,
    "rabbitmq": 5672,
    "management": 15672,
    "flower": 5555,
    "lab": 8888,
    "erlang": 25672,
    "epmd": 4369,
}
"""The ports that these programs have by custom. Taken ones are replaced by free ones."""

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Site:
    """One stack on one machine.

    Attributes
    ----------
    state : pathlib.Path
        The folder that holds data, logs and the files that describe the stack.
    ports : dict of str to int
        The port of each program, all on 127.0.0.1.
    token : str
        Opens JupyterLab, and is the password of PostgreSQL's superuser.
    """

    state: Path
    ports: dict[str, int]
    token: str

    @property
    def broker_url(self) -> str:
        """The address of RabbitMQ."""
        return f"amqp://celery_user:secret@{HOST}:{self.ports['rabbitmq']}/celery_app"

    @property
    def management_url(self) -> str:
        """The address of RabbitMQ's pages and its HTTP interface."""
        return f"http://{HOST}:{self.ports['management']}"

    @property
    def database_url(self) -> str:
        """The address of PostGIS, as SQLAlchemy writes it."""
        return f"postgresql+psycopg://geopython:geopython@{HOST}:{self.ports['postgis']}/geopython-db"

    @property
    def flower_url(self) -> str:
        """The address of Flower."""
        return f"http://{HOST}:{self.ports['flower']}/flower"

    @property
    def lab_url(self) -> str:
        """The address of JupyterLab, which lets its reader in."""
        return f"http://{HOST}:{self.ports['lab']}/lab?token={self.token}"

    def log(self, name: str) -> Path:
        """Return the log file of a service."""
        return self.state / "logs" / f"{name}.log"


def new_site() -> Site:
    """Return a site with ports that are free now, and with the passwords of earlier starts."""
    state = settings.state_dir()
    (state / "logs").mkdir(exist_ok=True)
    token = settings.read("token.json").get("token")
    if token is None:
        token = secrets.token_hex(16)
        settings.write("token.json", {"token": token})
    return Site(state, free_ports(), token)


def free_ports() -> dict[str, int]:
    """Return a port for each program: the usual one where it is free, else one that is."""
    sockets = []
    ports = {}
    for name, usual in USUAL_PORTS.items():
        held = _hold(usual) or _hold(0)
        assert held is not None
        sockets.append(held)
        ports[name] = held.getsockname()[1]
    for held in sockets:
        held.close()
    return ports


def _hold(port: int) -> socket.socket | None:
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        held.bind((HOST, port))
    except OSError:
        held.close()
        return None
    return held
