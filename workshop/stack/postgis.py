"""PostGIS: a private PostgreSQL with the tables of the course."""

import os
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import psutil
import psycopg

from workshop.stack.binaries import postgres
from workshop.stack.service import NotReady, Service
from workshop.stack.site import HOST, Site

STOP = signal.SIGINT
"""Asks PostgreSQL to end without waiting for its clients."""


def _data(site: Site) -> Path:
    return site.state / "postgis"


def _as_ordinary_user() -> list[str]:
    """Return what goes before a command of PostgreSQL, which refuses to run as root.

    In a namespace of its own, root looks like another user. PostgreSQL wants one that the machine knows.
    """
    if os.geteuid() != 0:
        return []
    import pwd  # not on Windows, where this module is imported too

    known = min(user.pw_uid for user in pwd.getpwall() if user.pw_uid)
    return ["unshare", "--user", f"--map-user={known}", f"--map-group={known}", "--"]


def prepare(site: Site) -> None:
    """Make the database's files, once; a half-made set of an interrupted start is made anew."""
    data = _data(site)
    if (data / "PG_VERSION").exists():
        _forget_dead_server(data / "postmaster.pid")
        return
    draft = data.with_name("postgis.draft")
    subprocess.run(["rm", "-rf", str(draft)], check=True)
    password = site.state / "postgis.password"
    password.touch(mode=0o600)
    password.write_text(site.token, encoding="utf-8")
    with site.log("postgis").open("ab") as log:
        made = subprocess.run(
            [
                *_as_ordinary_user(),
                str(postgres() / "initdb"),
                f"--pgdata={draft}",
                "--username=postgres",
                f"--pwfile={password}",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
            ],
            stdout=log,
            stderr=log,
        )
    password.unlink()
    if made.returncode != 0:
        raise NotReady(f"initdb could not make the database's files (exit code {made.returncode})")
    draft.rename(data)


def _forget_dead_server(pid_file: Path) -> None:
    """Remove the note of a killed server if its number now belongs to some other program.

    PostgreSQL looks only whether a process with that number lives, and would refuse to start. In all other
    cases it decides better itself, as it also knows whether an old server still uses the files.
    """
    with suppress(FileNotFoundError, ValueError, IndexError, psutil.NoSuchProcess):
        pid = int(pid_file.read_text(encoding="utf-8").splitlines()[0])
        if psutil.Process(pid).name() != "postgres":
            pid_file.unlink()


def command(site: Site) -> list[str]:
    """Return the server's command: on 127.0.0.1 only, and without a socket file."""
    return [
        *_as_ordinary_user(),
        str(postgres() / "postgres"),
        f"-D{_data(site)}",
        f"-p{site.ports['postgis']}",
        f"-clisten_addresses={HOST}",
        "-cunix_socket_directories=",
    ]


def environment(site: Site) -> dict[str, str]:
    """Return an environment with a locale that every machine has; on macOS it does not start without one."""
    return os.environ | {"LC_ALL": "C"}


def probe(site: Site) -> None:
    """Log in as the superuser whose password only this stack knows."""
    try:
        _connect(site, "postgres").close()
    except psycopg.OperationalError as error:
        raise NotReady(str(error).strip()) from error


def finish(site: Site) -> None:
    """Make role, database, extension and schema where they are missing, then the tables."""
    from workshop.stack.schema import create_schema  # takes two seconds to import, and only `up` needs it

    with _connect(site, "postgres") as server:
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'geopython'").fetchone():
            server.execute("CREATE ROLE geopython LOGIN PASSWORD 'geopython'")
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = 'geopython-db'").fetchone():
            server.execute('CREATE DATABASE "geopython-db" OWNER geopython')
    with _connect(site, "geopython-db") as database:
        database.execute("CREATE EXTENSION IF NOT EXISTS postgis")
        database.execute("CREATE SCHEMA IF NOT EXISTS geopython AUTHORIZATION geopython")
        database.execute(
            'ALTER ROLE geopython IN DATABASE "geopython-db" SET search_path = geopython, public'
        )
    create_schema(site.database_url)


def _connect(site: Site, database: str) -> psycopg.Connection:
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
    environment=environment,
    prepare=prepare,
    finish=finish,
    essential=True,
    stop_signal=STOP,
)
