"""What one running stack knows about itself: its folder, its ports, its passwords."""

import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path

from backstage.stack import cloud, containers
from backstage.stack.central_config import CentralConfig
from backstage.stack.ports import HOST, USUAL_PORTS, free_ports
from workshop import state_folder
from workshop.json_files import changing


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
        Opens JupyterLab, and is the password of PostgreSQL's superuser.
    hosts : dict of str to str
        On which host each port is; all are here, except in containers.
    central : str
        The id of the central whose virtual host and database are meant; empty for this machine's own.
    """

    state: Path
    ports: dict[str, int]
    token: str
    hosts: dict[str, str] = field(default_factory=containers.hosts)
    central: str = ""

    def place(self, name: str) -> str:
        """Return host and port of a program, such as ``127.0.0.1:5672``."""
        return f"{self.hosts.get(name, HOST)}:{self.ports[name]}"

    def published(self) -> "Site":
        """Return the site as a browser or a program of this computer sees it: by what containers publish."""
        return replace(self, ports=self.ports | containers.published_ports(), hosts={})

    def of(self, central: CentralConfig) -> "Site":
        """Return where a central's virtual host, database and Flower are, on the same servers."""
        return replace(self, central=central.id, hosts=self.hosts | {"flower": central.address})

    @property
    def virtual_host(self) -> str:
        """The virtual host at RabbitMQ."""
        return self.central or "celery_app"

    @property
    def database(self) -> str:
        """The database at PostGIS."""
        return self.central or "geopython-db"

    @property
    def broker_url(self) -> str:
        """The address of RabbitMQ."""
        return f"amqp://celery_user:secret@{self.place('rabbitmq')}/{self.virtual_host}"

    @property
    def management_url(self) -> str:
        """The address of RabbitMQ's pages and its HTTP interface."""
        return f"http://{self.place('management')}"

    @property
    def database_url(self) -> str:
        """The address of PostGIS, as SQLAlchemy writes it."""
        return f"postgresql+psycopg://geopython:geopython@{self.place('postgis')}/{self.database}"

    @property
    def flower_url(self) -> str:
        """The address of Flower, whose path is the one that its page has inside JupyterLab."""
        return f"http://{self.place('flower')}{cloud.below()}flower"

    @property
    def lab_url(self) -> str:
        """The address of JupyterLab at the first notebook, which lets its reader in."""
        first = "lab/tree/notebooks/00-start-here.ipynb"
        return f"http://{self.place('lab')}/{first}?token={self.token}"

    def log(self, name: str) -> Path:
        """Return the log file of a service."""
        return self.state / "logs" / f"{name}.log"


def new_site() -> Site:
    """Return a site with ports that are free now; the passwords are those of earlier starts."""
    state = state_folder.state_dir()
    (state / "logs").mkdir(exist_ok=True)
    with changing(state / "token.json"):  # several containers may start at once
        if not state_folder.read("token.json"):
            state_folder.write("token.json", {"token": secrets.token_hex(16)})
    ports = USUAL_PORTS if containers.inside() else free_ports()
    return Site(state, ports, state_folder.read("token.json")["token"])
