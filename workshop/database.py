"""How statements get to the database: without waste, past a dead connection, with a note of outages."""

from collections import deque
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import Any, TypeVar
from uuid import UUID

import psycopg
import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from workshop.settings import database_url

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Outage:
    """Why the database could not do what it was asked. It says nothing about the task.

    Attributes
    ----------
    text : str
        What the database, or the way to it, said.
    late : bool
        It is there, but did not answer in time; the statement itself may be too slow.
    """

    text: str
    late: bool = False


outage: ContextVar[Outage | None] = ContextVar("outage", default=None)
"""Why the latest statement of this thread could not be done; None if it was."""


def unavailable(error: Exception) -> Exception:
    """Note that the database can't do its work now, and return the error that says so."""
    outage.set(Outage(str(error)))
    return error


def execute(statement: sa.Executable, values: dict[str, Any] | None = None) -> sa.Result:
    """Send one statement and read its rows; if its connection turns out to be dead, once more on a fresh one.

    So it may be done twice: what is written needs a key, and ``ON CONFLICT DO NOTHING``.

    Parameters
    ----------
    statement : sqlalchemy.Executable
        The statement.
    values : dict, optional
        The values of its parameters.

    Returns
    -------
    sqlalchemy.Result
        All its rows. They stay, as its connection may be at other work by then.
    """
    return _again_if_gone(_send, statement, values)


def fetch(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Do the same for a statement in text, without SQLAlchemy's own part: each task sends one.

    Parameters
    ----------
    statement : str
        As psycopg has it; the server prepares it once for each connection.
    values : dict
        The values of its parameters.

    Returns
    -------
    list of tuple
        Its rows; none if it returns none.
    """
    return _again_if_gone(_send_plain, statement, values)


def _again_if_gone(send: Callable[[Any, Any], _Answer], statement: Any, values: Any) -> _Answer:
    try:
        try:
            result = send(statement, values)
        except sa.exc.DBAPIError as error:
            if not error.connection_invalidated:
                raise
            result = send(statement, values)
    except Exception as error:
        outage.set(_outage_in(error))
        raise
    outage.set(None)
    return result


@dataclass(eq=False)
class _Row:
    values: dict[str, Any]
    written: bool = False


class Joined:
    """Joins the rows that several threads of one process write at the same time into one statement.

    Whose turn it is writes all that lies there by then: its own row and those of the threads that wait for
    their turn. So nobody waits for others to come, no statement has more rows than there are threads, and a
    thread that is alone writes alone.

    Parameters
    ----------
    write : callable
        Writes rows, all of them or none. To write one again must change nothing.
    """

    def __init__(self, write: Callable[[list[dict[str, Any]]], None]) -> None:
        self._write, self._turn = write, Lock()
        self._waiting: deque[_Row] = deque()

    def write(self, values: dict[str, Any]) -> None:
        """Write a row; what is wrong with others that it was joined with is no concern of it."""
        mine = _Row(values)
        self._waiting.append(mine)
        with self._turn:
            if mine in self._waiting:
                rows = [self._waiting.popleft() for _ in range(len(self._waiting))]
                try:
                    self._write([row.values for row in rows])
                    for row in rows:
                        row.written = True
                except Exception:
                    if len(rows) == 1:
                        raise
        if not mine.written:
            self._write([values])


def among(column: InstrumentedAttribute[UUID], ids: list[UUID]) -> sa.ColumnElement[bool]:
    """Return the condition that a task is one of those; as one value, however many they are."""
    return column == sa.any_(sa.literal(ids, sa.ARRAY(sa.Uuid)))


def _send_plain(statement: str, values: dict[str, Any]) -> list[tuple[Any, ...]]:
    with engine().connect() as connection:
        try:
            cursor = connection.connection.cursor()
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []
        except psycopg.Error as error:
            gone = getattr(connection.connection.driver_connection, "closed", True)
            if gone:
                connection.invalidate(error)
                connection.engine.dispose()  # those that wait in the pool are dead as well
            raise sa.exc.DBAPIError.instance(
                statement, values, error, psycopg.Error, connection_invalidated=gone
            ) from error
        except BaseException:
            connection.invalidate()  # it still waits for its answer and can't be used again
            raise


def _send(statement: sa.Executable, values: dict[str, Any] | None) -> sa.Result:
    with engine().connect() as connection:
        try:
            result = connection.execute(statement, values)
            return result.freeze()() if result.returns_rows else result
        except sa.exc.SQLAlchemyError:
            raise
        except BaseException:
            connection.invalidate()  # it still waits for its answer and can't be used again
            raise


def _outage_in(error: Exception) -> Outage | None:
    if not isinstance(error, sa.exc.SQLAlchemyError):
        return Outage(f"no answer from the database in time ({type(error).__name__})", late=True)
    if not isinstance(error, sa.exc.OperationalError | sa.exc.InterfaceError | sa.exc.InternalError):
        return None
    code, text = getattr(error.orig, "sqlstate", None), str(error.orig).strip().partition("\n")[0]
    gone = ("08", "53", "57P0", "58")  # no connection, no room, shutting down or starting, no disk
    late = ("57014", "55P03", "40")  # cancelled after statement_timeout, locked, in another's way
    if code is None or code.startswith(gone):
        return Outage(text)
    return Outage(text, late=True) if code.startswith(late) else None


def engine(url: str = "") -> sa.Engine:
    """Return this process's connections to a database; by default to the one that the settings name now."""
    return _engine(url or _kept or database_url())


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
        max_overflow=-1,  # however many threads a worker has, none waits for another's connection
        connect_args={
            "connect_timeout": 3,
            "tcp_user_timeout": 4000,
            # Below do_task's soft_time_limit of 5 s. JIT takes longer than it saves.
            "options": "-c statement_timeout=4000 -c jit=off",
        },
    )
