"""PostGIS: a private PostgreSQL with the tables of the course."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from backstage.stack import containers
from backstage.stack.binaries import find
from backstage.stack.central_config import HOST, open_to_others
from backstage.stack.environment import of_child
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site

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
    data = _data(site)
    if (data / "PG_VERSION").exists():
        _forget_other_server(data / "postmaster.pid")
    else:
        draft = data.with_name("postgis.draft")
        shutil.rmtree(draft, ignore_errors=True)
        _make(site, draft)
        draft.rename(data)
    (data / "pg_hba.conf").write_text(RULES, encoding="utf-8")


def _run_as() -> list[str]:
    """Return what goes before a command of PostgreSQL, which refuses root; nothing for an ordinary user.

    Root lets an ordinary account run it, with root's right to reach the files and nothing else.
    """
    if os.geteuid():
        return []
    import pwd  # not on Windows, where this module is imported too

    account = min(each.pw_uid for each in pwd.getpwall() if each.pw_uid)
    # `access` sees that right too, with which PostgreSQL looks for its programs.
    reach = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    # A new user forgets the signal that was set before.
    become = [f"--reuid={account}", f"--regid={account}", "--clear-groups", "--pdeathsig=INT"]
    return ["setpriv", *reach, *become, "--"]


def _make(site: Site, data: Path) -> None:
    command = [*_run_as(), str(find("initdb")), f"--pgdata={data}"]
    command += ["--username=postgres", "--pwfile=/dev/stdin", "--auth=scram-sha-256"]
    command += ["--encoding=UTF8", "--no-locale"]
    with site.log("postgis").open("ab") as log:
        done = subprocess.run(
            command, env=of_child(_LOCALE), input=site.token.encode(), stdout=log, stderr=log
        )
    if done.returncode != 0:
        raise NotReady(f"initdb ended with exit code {done.returncode}")


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
        *_run_as(),
        str(find("initdb").with_name("postgres")),
        f"-D{_data(site)}",
        f"-p{site.ports['postgis']}",
        f"-clisten_addresses={','.join(filter(None, (HOST, open_to_others())))}",  # whichever are there now
        "-cunix_socket_directories=",
        *_LIMITS,
    ]


def probe(site: Site) -> None:
    """Log in as the superuser whose password only this stack knows."""
    connect(site, "postgres").close()


def finish(site: Site) -> None:
    """Make the own database where it is missing, and what a central is to have."""
    from backstage.stack import roles, schema  # take two seconds to import, and only a start needs them

    schema.create_database(site)
    roles.settle(site)


def connect(site: Site, database: str) -> psycopg.Connection:
    """Return a connection of the superuser, whose statements take effect at once.

    Raises
    ------
    psycopg.OperationalError
        If the server does not answer.
    """
    password = "geopython" if containers.inside() else site.token
    url = f"postgresql://postgres:{password}@{site.place('postgis')}/{database}"
    return psycopg.connect(url, connect_timeout=3, autocommit=True)


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
