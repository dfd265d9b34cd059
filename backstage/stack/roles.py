"""A central's database and the roles of its machines, which may add rows there and change none.

The database itself sets a row's `machine`, by the role, and its time. What a machine that means harm can
still do is in `backstage.stack.accounts`.
"""

import psycopg
from psycopg import sql

from backstage.stack.central_config import CentralConfig
from backstage.stack.postgis import CENTRAL_SESSIONS, SESSIONS, connect, create_database
from backstage.stack.site import Site
from workshop import db

_FILLED_IN = ("machine", "processed_at", "at", "id")
"""Columns that the database sets, whatever a machine says."""

_FOR_OWNER = 50
"""Of a central's sessions, those for feeding, the audit, the wall and QGIS."""

_REVOKED = (
    'ALL ON DATABASE {}, "geopython-db", postgres, template1',
    "CREATE ON SCHEMA public",
    "ALL ON LANGUAGE plpgsql",
)
_REVOKED_FUNCTIONS = ("lo\\_%", "lowrite", "loread", "pg\\_advisory%", "pg\\_try\\_advisory%")
"""Large objects, which would be a store for anything, and locks, which could hold up a start."""


def settle(site: Site) -> None:
    """Make database and roles as ``central.json`` wants them; remove what else has that id.

    The database of a closed class keeps its squares for the next one. That of a rehearsal goes.
    """
    central = CentralConfig.read()
    if not central:
        return
    name = sql.Identifier(central.id)
    with connect(site, "postgres") as server:
        if central.fleeting and not central.machines:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
            for each in (*_machines(server, central), central.id):
                server.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(each)))
            return
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [central.id]).fetchone():
            server.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
        create_database(site.of(central))
        server.execute(sql.SQL(f"ALTER DATABASE {{}} CONNECTION LIMIT {CENTRAL_SESSIONS}").format(name))
    with connect(site, central.id) as database:
        _close_to_all(database, name)
        _grant(database, name)
        there, wanted = _machines(database, central), central.accounts
        _remove(database, there - wanted.keys())
        for each in wanted.keys() - there:
            database.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(sql.Identifier(each), name))
        for each, password in wanted.items():
            _bind(database, each, password, central)


def _close_to_all(database: psycopg.Connection, name: sql.Identifier) -> None:
    """Take from everyone what PostgreSQL gives to everyone."""
    for what in _REVOKED:
        database.execute(sql.SQL(f"REVOKE {what} FROM PUBLIC").format(name))
    functions = database.execute(
        "SELECT oid::regprocedure::text FROM pg_proc "
        "WHERE pronamespace = 'pg_catalog'::regnamespace AND proname LIKE ANY(%s)",
        [list(_REVOKED_FUNCTIONS)],
    ).fetchall()
    for (function,) in functions:
        database.execute(f"REVOKE ALL ON FUNCTION {function} FROM PUBLIC")  # type: ignore[arg-type]
        database.execute(f"GRANT EXECUTE ON FUNCTION {function} TO geopython")  # type: ignore[arg-type]


def _grant(database: psycopg.Connection, name: sql.Identifier) -> None:
    """Let machines do their work, under the names that people know them by."""
    grants = ["CONNECT ON DATABASE {0}", "USAGE ON SCHEMA geopython, public"]
    for table in (db.UkBoundary.__table__, db.GridSquare.__table__, db.TaskLog.__table__):
        grants.append(f"SELECT ON {table}")
        if table is not db.UkBoundary.__table__:
            columns = ", ".join(column.name for column in table.columns if column.name not in _FILLED_IN)
            grants.append(f"INSERT ({columns}) ON {table}")
            machine = "ALTER machine SET DEFAULT regexp_replace(session_user, '.*-', '')"
            database.execute(f"ALTER TABLE {table} {machine}")  # type: ignore[arg-type]
    for grant in grants:
        database.execute(sql.SQL(f"GRANT {grant} TO {{0}}").format(name))


def _bind(database: psycopg.Connection, name: str, password: str, central: CentralConfig) -> None:
    """Set what a machine may change of its own role, too, to what it is meant to be."""
    role = sql.Identifier(name)
    sessions = min(SESSIONS, (CENTRAL_SESSIONS - _FOR_OWNER) // len(central.machines))
    for statement in (
        sql.SQL("ALTER ROLE {} PASSWORD {} CONNECTION LIMIT {} VALID UNTIL {}").format(
            role, password, sessions, central.until.isoformat()
        ),
        sql.SQL("ALTER ROLE {} RESET ALL").format(role),
        sql.SQL("ALTER ROLE {} SET search_path = geopython, public").format(role),
        sql.SQL("ALTER ROLE {} SET statement_timeout = '60s'").format(role),
        sql.SQL("ALTER ROLE {} SET idle_in_transaction_session_timeout = '60s'").format(role),
        sql.SQL("ALTER ROLE {} SET temp_file_limit = '100MB'").format(role),
    ):
        database.execute(statement)


def _machines(database: psycopg.Connection, central: CentralConfig) -> set[str]:
    """Return the roles of machines that there are."""
    rows = database.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [f"{central.id}-"])
    return {name for (name,) in rows}


def _remove(database: psycopg.Connection, names: set[str]) -> None:
    for name in names:
        role = sql.Identifier(name)
        database.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
        database.execute(sql.SQL("DROP OWNED BY {}").format(role))
        database.execute(sql.SQL("DROP ROLE {}").format(role))
