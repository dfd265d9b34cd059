"""RabbitMQ: a private broker with its management pages, and Erlang's port mapper beside it."""

import os
import socket
import urllib.request
from base64 import b64encode
from pathlib import Path

from kombu import Connection
from kombu.exceptions import OperationalError

from workshop.stack import queues
from workshop.stack.binaries import epmd, rabbitmq
from workshop.stack.service import NotReady, Service
from workshop.stack.site import HOST, Site

# A task may be held for a day until it is due (`workshop.delivery.guard`); RabbitMQ's own patience is 30
# minutes, and then it closes the worker's channel. It counts milliseconds.
CONFIGURATION = """\
listeners.tcp.1 = {host}:{rabbitmq}
management.tcp.ip = {host}
management.tcp.port = {management}
default_vhost = celery_app
default_user = celery_user
default_pass = secret
default_user_tags.administrator = true
disk_free_limit.absolute = 50MB
consumer_timeout = 90000000
log.console = true
log.console.level = warning
log.console.use_colors = off
log.file = false
"""


def prepare(site: Site) -> None:
    """Write the broker's configuration."""
    home = _home(site)
    home.mkdir(exist_ok=True)
    (home / "rabbitmq.conf").write_text(CONFIGURATION.format(host=HOST, **site.ports), encoding="utf-8")
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="utf-8")


def environment(site: Site) -> dict[str, str]:
    """Return an environment in which RabbitMQ sees nothing of another RabbitMQ on this machine."""
    home = _home(site)
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("RABBITMQ_", "ERL_"))
    }
    return inherited | {
        "PATH": f"{epmd().parent}{os.pathsep}{os.environ.get('PATH', '')}",  # there is its Erlang too
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_NODENAME": "workshop@localhost",
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "generated"),
        "RABBITMQ_SCHEMA_DIR": str(home / "schema"),
        "RABBITMQ_PID_FILE": str(home / "pid"),
        "RABBITMQ_DIST_PORT": str(site.ports["erlang"]),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-mnesia core_dir false +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
        "ERL_EPMD_PORT": str(site.ports["epmd"]),
        "ERL_EPMD_ADDRESS": HOST,
        "ERL_CRASH_DUMP_SECONDS": "0",
        # For every Erlang that this one starts, too: once a minute RabbitMQ starts one to make sure of its
        # port mapper. It would listen to all addresses, or start a port mapper that outlives the stack.
        "ERL_ZFLAGS": "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}",
    }


def probe(site: Site) -> None:
    """Log in over AMQP, then ask the management interface for the virtual host."""
    try:
        with Connection(site.broker_url, connect_timeout=3) as connection:
            connection.connect()
        get(site, "/api/vhosts/celery_app")
    except (OperationalError, OSError) as error:
        raise NotReady(str(error)) from error


def finish(site: Site) -> str:
    """Declare the course's queues; return what had to be replaced."""
    return queues.declare(site.broker_url)


def get(site: Site, path: str) -> bytes:
    """Return what RabbitMQ's management interface answers.

    Raises
    ------
    OSError
        If it does not answer.
    """
    login = b64encode(b"celery_user:secret").decode()
    request = urllib.request.Request(site.management_url + path, headers={"Authorization": f"Basic {login}"})
    with urllib.request.urlopen(request, timeout=3) as answer:
        return answer.read()


def probe_epmd(site: Site) -> None:
    """Ask the port mapper for its list of names; that it is ours is shown by its process living on."""
    with socket.create_connection((HOST, site.ports["epmd"]), timeout=1) as connection:
        connection.sendall(b"\x00\x01n")
        if not connection.recv(4):
            raise NotReady("the port mapper gives no answer")


def _home(site: Site) -> Path:
    return site.state / "rabbitmq"


EPMD = Service(
    "epmd",
    lambda site: [str(epmd()), "-port", str(site.ports["epmd"]), "-address", HOST],
    probe_epmd,
    environment=environment,
    essential=True,
)

SERVICE = Service(
    "rabbitmq",
    lambda site: [str(rabbitmq()), "-noinput"],
    probe,
    environment=environment,
    prepare=prepare,
    finish=finish,
    needs=("epmd",),
    essential=True,
)
