"""The machines' roles at the database of a central, which may add rows and change none.

The database itself sets a row's `machine`, to the role, and its time. What a machine that means harm can
still do is in `backstage.stack.accounts`.
"""

import psycopg
from psycopg import sql

from backstage.stack.central_config import CentralConfig
from backstage.stack.postgis import SESSIONS, connect
from backstage.stack.site import Site
from workshop import db

_FILLED_IN = ("machine", "processed_at", "at", "id")
"""Columns that the database sets, whatever a machine says."""

_REVOKED = (
    'ALL ON DATABASE "geopython-db", postgres, template1',
    "CREATE ON SCHEMA public",
    "ALL ON LANGUAGE plpgsql",
)
_REVOKED_FUNCTIONS = ("lo\\_%", "lowrite", "loread", "pg\\_advisory%", "pg\\_try\\_advisory%")
"""Large objects, which would be a store for anything, and locks, which could hold up a start."""


def make_roles(site: Site) -> None:
    """Make the machines' roles at the database of a central, and no others; at another stack do nothing."""
    if not site.central:
        return
    with connect(site, "geopython-db") as database:
        if not database.execute("SELECT 1 FROM pg_roles WHERE rolname = 'machines'").fetchone():
            database.execute("CREATE ROLE machines NOLOGIN")
        _close_to_all(database)
        _grant(database)
        names = site.central.accounts
        _remove(database, _machines(database) - names.keys())
        for name in names.keys() - _machines(database):
            database.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE machines").format(sql.Identifier(name)))
        for name, password in names.items():
            _settle(database, name, password, site.central)


def remove_roles(site: Site) -> None:
    """Remove the machines' roles, and end their sessions."""
    with connect(site, "geopython-db") as database:
        _remove(database, _machines(database))


def _close_to_all(database: psycopg.Connection) -> None:
    """Take from everyone what PostgreSQL gives to everyone."""
    for what in _REVOKED:
        database.execute(f"REVOKE {what} FROM PUBLIC")  # type: ignore[arg-type]
    functions = database.execute(
        "SELECT oid::regprocedure::text FROM pg_proc "
        "WHERE pronamespace = 'pg_catalog'::regnamespace AND proname LIKE ANY(%s)",
        [list(_REVOKED_FUNCTIONS)],
    ).fetchall()
    for (function,) in functions:
        database.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")  # type: ignore[arg-type]
        database.execute(f"GRANT EXECUTE ON FUNCTION {function} TO geopython")  # type: ignore[arg-type]


def _grant(database: psycopg.Connection) -> None:
    grants = ['CONNECT ON DATABASE "geopython-db"', "USAGE ON SCHEMA geopython, public"]
    for table in (db.UkBoundary.__table__, db.GridSquare.__table__, db.TaskLog.__table__):
        grants.append(f"SELECT ON {table}")
        if table is not db.UkBoundary.__table__:
            columns = ", ".join(column.name for column in table.columns if column.name not in _FILLED_IN)
            grants.append(f"INSERT ({columns}) ON {table}")
    for grant in grants:
        database.execute(f"GRANT {grant} TO machines")  # type: ignore[arg-type]


def _settle(database: psycopg.Connection, name: str, password: str, central: CentralConfig) -> None:
    """Set what a machine may change of its own role, too, to what it is meant to be."""
    role = sql.Identifier(name)
    for statement in (
        sql.SQL("ALTER ROLE {} PASSWORD {} CONNECTION LIMIT {} VALID UNTIL {}").format(
            role, password, SESSIONS, central.until.isoformat()
        ),
        sql.SQL("ALTER ROLE {} RESET ALL").format(role),
        sql.SQL("ALTER ROLE {} SET search_path = geopython, public").format(role),
        sql.SQL("ALTER ROLE {} SET statement_timeout = '60s'").format(role),
        sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = '60s'").format(role),
        sql.SQL("ALTER ROLE {} SET temp_file_limit = '100MB'").format(role),
    ):
        database.execute(statement)


def _machines(database: psycopg.Connection) -> set[str]:
    rows = database.execute(
        "SELECT rolname FROM pg_roles JOIN pg_auth_members ON member = pg_roles.oid "
        "WHERE roleid = (SELECT oid FROM pg_roles WHERE rolname = 'machines')"
    )
    return {name for (name,) in rows}


def _remove(database: psycopg.Connection, names: set[str]) -> None:
    for name in names:
        role = sql.Identifier(name)
        database.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
        database.execute(sql.SQL("DROP OWNED BY {}").format(role))
        database.execute(sql.SQL("DROP ROLE {}").format(role))
