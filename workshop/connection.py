"""How statements get to the database: without waste, and past a connection that died."""

from functools import cache
from typing import Any

import sqlalchemy as sa

from workshop.settings import database_url


def execute(statement: sa.Executable, values: dict[str, Any] | None = None) -> sa.CursorResult:
    """Send one statement; if its connection turns out to be dead, once more on a fresh one."""
    try:
        with engine().connect() as connection:
            return connection.execute(statement, values)
    except sa.exc.DBAPIError as error:
        if not error.connection_invalidated:
            raise
    with engine().connect() as connection:
        return connection.execute(statement, values)


def engine() -> sa.Engine:
    """Return the connections of this process to the database that the settings name now."""
    return _engine(_kept or database_url())


def keep_database() -> None:
    """Stay with the database of this moment: a worker that joins another queue or leaves it starts anew.

    Without this the last tasks from one queue would write their rows to the other's database.
    """
    global _kept
    _kept = database_url()


_kept: str | None = None


@cache
def _engine(url: str) -> sa.Engine:
    return sa.create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        connect_args={"connect_timeout": 3, "options": "-c statement_timeout=4000"},
    )
