"""What one running stack knows about itself: its folder, its ports, its passwords."""

import hmac
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from backstage.stack import cloud, containers
from backstage.stack.central_config import CentralConfig
from backstage.stack.ports import HOST, USUAL_PORTS, free_ports
from workshop import state_folder


@dataclass(frozen=True)
class Site:
    """One stack on one machine.

    Attributes
    ----------
    state : pathlib.Path
        The folder that holds data, logs and the files that describe the stack.
    ports : dict of str to int
        The port of each program.
    token : str
        Opens JupyterLab, and is the password of PostgreSQL's superuser; at a central, of every account
        but those of the machines.
    hosts : dict of str to str
        On which host each port is; all are here, except in containers.
    """

    state: Path
    ports: dict[str, int]
    token: str
    hosts: dict[str, str] = field(default_factory=containers.hosts)

    def place(self, name: str) -> str:
        """Return host and port of a program, such as ``127.0.0.1:5672``."""
        return f"{self.hosts.get(name, HOST)}:{self.ports[name]}"

    def published(self) -> "Site":
        """Return the site as a browser or a program of this computer sees it: by what containers publish."""
        return replace(self, ports=self.ports | containers.published_ports(), hosts={})

    @property
    def central(self) -> CentralConfig | None:
        """For whom this stack opens; None if it is for this machine alone."""
        return CentralConfig.read(self.state)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The addresses at which RabbitMQ and PostGIS listen."""
        return tuple(dict.fromkeys((HOST, self.central.address if self.central else HOST)))

    @property
    def broker_password(self) -> str:
        """The password of ``celery_user``."""
        return self.token if self.central else "secret"

    @property
    def database_password(self) -> str:
        """The password of ``geopython``."""
        return self.token if self.central else "geopython"

    @property
    def flower_password(self) -> str:
        """The password of Flower's pages; at a central they go over the network, so it opens nothing else."""
        return (
            hmac.digest(self.token.encode(), b"flower", "sha256").hex()[:16] if self.central else self.token
        )

    @property
    def broker_url(self) -> str:
        """The address of RabbitMQ."""
        return f"amqp://celery_user:{self.broker_password}@{self.place('rabbitmq')}/celery_app"

    @property
    def management_url(self) -> str:
        """The address of RabbitMQ's pages and its HTTP interface."""
        return f"http://{self.place('management')}"

    @property
    def database_url(self) -> str:
        """The address of PostGIS, as SQLAlchemy writes it."""
        login = f"geopython:{self.database_password}"
        return f"postgresql+psycopg://{login}@{self.place('postgis')}/geopython-db"

    @property
    def flower_host(self) -> str:
        """The host of Flower; a central may show it beyond this machine."""
        central = self.central
        return central.address if central and central.flower else self.hosts.get("flower", HOST)

    @property
    def flower_url(self) -> str:
        """The address of Flower, whose path is the one that its page has inside JupyterLab."""
        return f"http://{self.flower_host}:{self.ports['flower']}{cloud.below()}flower"

    @property
    def lab_url(self) -> str:
        """The address of JupyterLab at the first notebook, which lets its reader in."""
        first = "lab/tree/notebooks/00-start-here.ipynb"
        return f"http://{self.place('lab')}/{first}?token={self.token}"

    def log(self, name: str) -> Path:
        """Return the log file of a service."""
        return self.state / "logs" / containers.own(f"{name}.log")


def new_site() -> Site:
    """Return a site with ports that are free now; the passwords are those of earlier starts."""
    state = state_folder.state_dir()
    (state / "logs").mkdir(exist_ok=True)
    state_folder.write("token.json", {"token": secrets.token_hex(16)}, replace=False)
    ports = USUAL_PORTS if containers.inside() else free_ports(CentralConfig.read(state))
    return Site(state, ports, state_folder.read("token.json")["token"])
