"""PostGIS: a private PostgreSQL with the tables of the course."""

import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from backstage.stack.binaries import postgres
from backstage.stack.environment import of_child
from backstage.stack.ports import addresses
from backstage.stack.postgres_user import hand_over, run_as
from backstage.stack.service import NotReady, Service
from backstage.stack.site import HOST, Site

# Own accounts come from this machine only. Everyone else is a machine of a central: a member of the role that
# has the name of its database.
RULES = """\
host  all       postgres,geopython  127.0.0.1/32  scram-sha-256
host  all       postgres,geopython  0.0.0.0/0     reject
host  samerole  all                 0.0.0.0/0     scram-sha-256
"""

OWN_SESSIONS = 100
"""For this machine's own work: no account of a central gets them.

Whoever opens connections and does not log in may take these too (`backstage.stack.accounts`).
"""

RESERVED = 20
"""Of these, those for notebooks, checks, maps and QGIS."""

CENTRAL_SESSIONS = 2_600
"""For a central."""

SESSIONS = 20
"""For each of its machines: 8 processes and a notebook, and the same again after it lost its network."""

# It may lose a machine's network, and gives a dead session up soon. With as many locks for each session as
# PostgreSQL usually takes, it would keep 50 MB more.
_LIMITS = (
    f"-cmax_connections={OWN_SESSIONS + CENTRAL_SESSIONS}",
    "-cmax_locks_per_transaction=16",
    "-cmax_pred_locks_per_transaction=10",
    "-cauthentication_timeout=10s",
    "-ctcp_keepalives_idle=10",
    "-ctcp_keepalives_interval=5",
    "-ctcp_keepalives_count=3",
    "-ctcp_user_timeout=25s",
    *(["-cclient_connection_check_interval=10s"] if sys.platform == "linux" else []),
)

_LOCALE = {"LC_ALL": "C"}
"""A locale that every machine has; on macOS it does not start without one."""

STOP = signal.SIGINT
"""Asks PostgreSQL to end without waiting for its clients."""


def _data(site: Site) -> Path:
    return site.state / "postgis"


def prepare(site: Site) -> None:
    """Make the database's files, once, and say who may log in from where.

    A half-made set of an interrupted start is made anew.
    """
    _login_rules(site).write_text(RULES, encoding="utf-8")
    data = _data(site)
    if (data / "PG_VERSION").exists():
        hand_over(data)
        _forget_other_server(data / "postmaster.pid")
    else:
        draft = data.with_name("postgis.draft")
        shutil.rmtree(draft, ignore_errors=True)
        _run(
            site,
            ["initdb", f"--pgdata={draft}", "--username=postgres", "--pwfile=/dev/stdin"]
            + ["--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8", "--no-locale"],
            site.token,
        )
        draft.rename(data)


def _run(site: Site, command: list[str], given: str) -> None:
    """Run one of PostgreSQL's programs to its end, and let it read what is given."""
    program, *arguments = command
    with site.log("postgis").open("ab") as log:
        done = subprocess.run(
            [*run_as(), str(postgres() / program), *arguments],
            env=of_child(_LOCALE),
            input=given.encode(),
            stdout=log,
            stderr=log,
        )
    if done.returncode != 0:
        raise NotReady(f"{program} ended with exit code {done.returncode}")


def _login_rules(site: Site) -> Path:
    """Return the file that says who may log in from where; PostgreSQL calls it ``pg_hba.conf``."""
    return site.state / "postgis.hba.conf"


def _forget_other_server(pid_file: Path) -> None:
    """Remove the note of a server whose number some other program has now, or which came with copied files.

    PostgreSQL looks only whether a process with that number lives, and would refuse to start. In all other
    cases it decides better itself, as it also knows whether an old server still uses the files.
    """
    with suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        pid, data = pid_file.read_text(encoding="utf-8").splitlines()[:2]
        if psutil.Process(int(pid)).name() != "postgres" or not pid_file.parent.samefile(data):
            pid_file.unlink()


def command(site: Site) -> list[str]:
    """Return the server's command: without a socket file, and at 127.0.0.1 only but for an open class."""
    return [
        *run_as(),
        str(postgres() / "postgres"),
        f"-D{_data(site)}",
        f"-p{site.ports['postgis']}",
        f"-clisten_addresses={','.join(addresses())}",
        "-cunix_socket_directories=",
        f"-chba_file={_login_rules(site)}",
        *_LIMITS,
    ]


def probe(site: Site) -> None:
    """Log in as the superuser whose password only this stack knows; knock at all its addresses."""
    connect(site, "postgres").close()
    for address in addresses():  # it starts even if it can't listen at one of them
        socket.create_connection((address, site.ports["postgis"]), timeout=3).close()


def finish(site: Site) -> None:
    """Make the own database where it is missing, and what a central is to have."""
    from backstage.stack.roles import settle  # takes two seconds to import, and only `up` needs it

    create_database(site)
    settle(site)


def create_database(site: Site) -> None:
    """Make role, database, extension and schema where they are missing, then the tables."""
    from backstage.stack.schema import create_schema

    name = sql.Identifier(site.database)
    with connect(site, "postgres") as server:
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'geopython'").fetchone():
            server.execute("CREATE ROLE geopython LOGIN PASSWORD 'geopython'")
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [site.database]).fetchone():
            server.execute(sql.SQL("CREATE DATABASE {} OWNER geopython").format(name))
    with connect(site, site.database) as database:
        database.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        database.execute("CREATE SCHEMA IF NOT EXISTS geopython AUTHORIZATION geopython")
        path = "ALTER ROLE geopython IN DATABASE {} SET search_path = geopython, public"
        database.execute(sql.SQL(path).format(name))
    create_schema(site.database_url)


def connect(site: Site, database: str) -> psycopg.Connection:
    """Return a connection of the superuser, whose statements take effect at once.

    Raises
    ------
    psycopg.OperationalError
        If the server does not answer.
    """
    return psycopg.connect(
        host=HOST,
        port=site.ports["postgis"],
        dbname=database,
        user="postgres",
        password=site.token,
        connect_timeout=3,
        autocommit=True,
    )


SERVICE = Service(
    "postgis",
    command,
    probe,
    environment=lambda site: _LOCALE,
    prepare=prepare,
    finish=finish,
    essential=True,
    follows="address",
    stop_signal=STOP,
)
