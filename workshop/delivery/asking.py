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


def ask_workers(broker_url: str, expected: int | None = None) -> dict[str, dict[str, Any]]:
    """Ask every worker of a broker for its report, and wait a second for the answers.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    expected : int, optional
        How many answers are enough; without it the whole second is waited for.

    Returns
    -------
    dict
        The report of each worker that answered, by the worker's name; none at a central queue.
    """
    found = ask(broker_url, "course_report", timeout=1, limit=expected)
    return {name: report for name, report in found.items() if "held" in report}


def ask(broker_url: str, command: str, **options: Any) -> dict[str, Any]:
    """Send a command of Celery's remote control, and return the answers by worker.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    command : str
        Such as ``active``.
    **options
        Celery's own: `timeout`, `limit`, `destination`.

    Returns
    -------
    dict
        Empty at a central queue, where no machine may command another's workers.
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
    return {name: text for answer in answers or [] for name, text in answer.items()}


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
