"""Asks workers, from outside: which of them live, by their sessions at the database, and what they do.

Whoever looks at the services imports this, each command among them. So what takes long to import is imported
where it is used.
"""

from hashlib import sha256
from typing import Any

import psycopg

from workshop import settings
from workshop.state_folder import ROOT

LIVING = """
    SELECT substr(application_name, 10), left(application_name, 8) FROM pg_stat_activity
    WHERE usename = current_user AND datname = current_database() AND application_name ~ '^[0-9a-f]{8} .+@'
    ORDER BY backend_start
"""
"""The name of each worker that lives and the digest of its code.

PostgreSQL cuts a session's name after 63 bytes, so the digest comes first there.
"""


def ask(broker_url: str, command: str, **options: Any) -> dict[str, Any]:
    """Send a command of Celery's remote control, and return the answers by worker.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    command : str
        Such as ``course_report``; `workshop.delivery.answering` has those of the course.
    **options
        Celery's own: `timeout`, which is a second, `limit` (how many answers are enough), `arguments`.

    Returns
    -------
    dict
        Without those who could not do it. Empty at a central queue, where no machine may command another's
        workers.
    """
    if settings.joined():
        return {}
    from celery import Celery

    from workshop.delivery.queues import kept_connection

    with (
        Celery(broker=broker_url, set_as_current=False) as application,
        kept_connection(broker_url) as connection,
    ):
        application.control.mailbox.producer_pool = None  # those of the pool are dead after a broker's crash
        answers = application.control.broadcast(command, reply=True, connection=connection, **options)
    found = {name: said for answer in answers or [] for name, said in answer.items()}
    return {name: said for name, said in found.items() if not (isinstance(said, dict) and "error" in said)}


def code_digest() -> str:
    """Return eight digits that are others whenever a file ``workshop/*.py`` is saved with another content."""
    digest = sha256()
    for path in sorted((ROOT / "workshop").glob("[a-z_]*.py")):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:8]


def living(database_url: str) -> dict[str, str]:
    """Return the digest of the code that each worker runs, by the worker's name, such as ``worker1@laptop``.

    Each has a session at its database that says so. The worker opens it when it takes tasks, and it ends with
    the worker, whatever ends that: so it is true at any moment, on one machine, in containers, and at a
    central, where nobody may ask another's worker anything.

    Parameters
    ----------
    database_url : str
        The database, with the account that the workers use: a central's machine sees its own workers only.

    Raises
    ------
    psycopg.OperationalError
        If the database does not answer.
    """
    with open_session(database_url) as session:
        return {name: digest for name, digest in session.execute(LIVING)}


def open_session(database_url: str, name: str = "") -> psycopg.Connection:
    """Open a session at the database, which is called so there."""
    url = database_url.replace("+psycopg", "", 1)
    return psycopg.connect(url, autocommit=True, application_name=name, connect_timeout=3)
