"""RabbitMQ: a private broker with its management pages."""

import os
import sys
from pathlib import Path

from kombu import Connection

from backstage.stack import accounts
from backstage.stack.binaries import find
from backstage.stack.http import ask_rabbitmq
from backstage.stack.ports import addresses
from backstage.stack.queues import declare
from backstage.stack.service import Service
from backstage.stack.site import HOST, Site

_CONFIGURATION = Path(__file__).with_suffix(".conf")
"""What it is told on a machine and in containers alike."""

_HERE = """\
{listeners}
management.tcp.ip = {host}
management.tcp.port = {management}
loopback_users.celery_user = true
log.console.use_colors = off
log.file = false
"""

# A dead peer is noticed also without heartbeats: Linux's numbers of TCP_KEEPIDLE, _KEEPINTVL, _KEEPCNT and
# _USER_TIMEOUT. Among RabbitMQ's own options they would end its pages' overview with an error.
DEAD_PEERS = (
    "-kernel inet_default_listen_options [{raw,6,4,<<10:32/native>>},{raw,6,5,<<5:32/native>>},"
    "{raw,6,6,<<3:32/native>>},{raw,6,18,<<25000:32/native>>}]"
    if sys.platform == "linux"
    else ""
)

NODE = "workshop@localhost"
"""What Erlang calls the broker; its data are in a folder of that name."""


def prepare(site: Site) -> None:
    """Write the broker's configuration."""
    home = site.state / "rabbitmq"
    home.mkdir(exist_ok=True)
    listeners = "\n".join(
        f"listeners.tcp.{number} = {address}:{site.ports['rabbitmq']}"
        for number, address in enumerate(addresses(), start=1)
    )
    here = _HERE.format(host=HOST, listeners=listeners, **site.ports)
    told = _CONFIGURATION.read_text(encoding="utf-8") + here
    (home / "rabbitmq.conf").write_text(told, encoding="utf-8")
    (home / "enabled_plugins").write_text("[rabbitmq_management].\n", encoding="utf-8")


def environment(site: Site) -> dict[str, str]:
    """Return where RabbitMQ keeps all that is its own, so that it sees nothing of another one here."""
    home, erlang = site.state / "rabbitmq", find("rabbitmq-server").parents[3] / "bin"
    return {
        "PATH": f"{erlang}{os.pathsep}{os.environ.get('PATH', '')}",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "RABBITMQ_ALLOW_INPUT": "1",
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_CONF_ENV_FILE": "/dev/null",
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_CONFIG_FILES": str(home / "none"),  # not those in /etc/rabbitmq
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            f"-sname {NODE} -mnesia core_dir false +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
        "ERL_CRASH_DUMP_SECONDS": "0",
        # There is one node: it listens to no other, and needs no port mapper, which would outlive the stack.
        # So it is named when it starts, and told a port that nobody asks for. For every Erlang that it
        # starts, too: once a minute it starts one to make sure of the port mapper.
        "ERL_ZFLAGS": f"-start_epmd false -dist_listen false -erl_epmd_port 1 {DEAD_PEERS}",
    }


def probe(site: Site) -> None:
    """Log in over AMQP, then ask the management interface for the virtual host."""
    with Connection(site.broker_url, connect_timeout=3) as connection:
        connection.connect()
    ask_rabbitmq(site, "/api/vhosts/celery_app")


def finish(site: Site) -> None:
    """Declare the own queues, and make what a central is to have."""
    declare(site.broker_url)
    accounts.settle(site)


SERVICE = Service(
    "rabbitmq",
    lambda site: [str(find("rabbitmq-server")), "-noinput"],
    probe,
    environment=environment,
    prepare=prepare,
    finish=finish,
    essential=True,
    follows="address",
)
