"""A worker's sign of life: a session at its database that says the worker's name and which code it runs.

The worker opens it when it takes tasks, and it ends with the worker, whatever ends that. So it is true at any
moment: on one machine, in containers, and at a central, where nobody may ask another's worker anything.
"""

import time
from contextlib import suppress
from hashlib import sha256
from multiprocessing.connection import wait
from threading import Thread
from typing import Any

import psycopg
from celery.signals import worker_init, worker_ready

from workshop.state_folder import ROOT

LIVING = """
    SELECT substr(application_name, 10), left(application_name, 8) FROM pg_stat_activity
    WHERE usename = current_user AND datname = current_database() AND application_name ~ '^[0-9a-f]{8} .+@'
    ORDER BY backend_start
"""
"""PostgreSQL cuts a name after 63 bytes, so the digest comes first."""


def code_digest() -> str:
    """Return eight digits that are others whenever a file ``workshop/*.py`` is saved with another content."""
    digest = sha256()
    for path in sorted((ROOT / "workshop").glob("[a-z_]*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:8]


_loaded = ""
"""The digest of the code that this worker runs."""


def living(database_url: str) -> dict[str, str]:
    """Return the digest of the code that each worker runs, by the worker's name, such as ``worker1@laptop``.

    Parameters
    ----------
    database_url : str
        The database, with the account that the workers use: a central's machine sees its own workers only.

    Raises
    ------
    psycopg.OperationalError
        If the database does not answer.
    """
    with _session(database_url) as session:
        return {name: digest for name, digest in session.execute(LIVING)}


@worker_init.connect
def _note_code(**_: Any) -> None:
    global _loaded
    _loaded = code_digest()


@worker_ready.connect
def _show(sender: Any, **_: Any) -> None:
    Thread(target=_stay, args=(sender.hostname,), daemon=True).start()


def _stay(name: str) -> None:
    """Keep the worker's session for as long as it lives; after a restart of the database, open another."""
    from workshop import database  # half a second, which who only looks can spare

    url = database.engine().url.render_as_string(hide_password=False)
    while True:
        with suppress(psycopg.Error), _session(url, f"{_loaded} {name}") as session:
            wait([session.fileno()])  # the server says nothing until it ends
        time.sleep(1)


def _session(database_url: str, name: str = "") -> psycopg.Connection:
    return psycopg.connect(
        database_url.replace("+psycopg", "", 1),
        autocommit=True,
        application_name=name,
        connect_timeout=3,
    )
