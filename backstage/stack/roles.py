"""A central's database and the roles of its machines, which may add rows there and change none.

The database itself sets a row's `machine`, by the role, and its time. What a machine that means harm can
still do is in `backstage.stack.accounts`.
"""

from psycopg import Connection, sql

from backstage.stack.central_config import CentralConfig
from backstage.stack.postgis import CENTRAL_SESSIONS, SESSIONS, connect
from backstage.stack.schema import create_database
from backstage.stack.site import Site
from workshop import db

_FILLED_IN = ("machine", "processed_at", "at", "id")
"""Columns that the database sets, whatever a machine says."""

_ONE_AT_A_TIME = 27701
"""The number of the lock that keeps two containers from doing this side by side."""

_FOR_OWNER = 50
"""Of a central's sessions, those for feeding, the audit, the wall and QGIS."""

# Takes from everyone what PostgreSQL gives to everyone, large objects too, which would be a store for
# anything, and locks, which could hold up a start. Then lets machines do their work, under the names that
# people know them by.
_DATABASE = sql.SQL("""\
ALTER DATABASE {central} CONNECTION LIMIT {sessions};
REVOKE ALL ON DATABASE {central}, "geopython-db", postgres, template1 FROM PUBLIC;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
REVOKE ALL ON LANGUAGE plpgsql FROM PUBLIC;
DO $$
DECLARE
  name regprocedure;
BEGIN
  FOR name IN SELECT oid FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace
    AND proname ~ '^(lo_|lowrite$|loread$|pg_advisory|pg_try_advisory)'
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', name);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO geopython', name);
  END LOOP;
END
$$;
GRANT CONNECT ON DATABASE {central} TO {central};
GRANT USAGE ON SCHEMA geopython, public TO {central};
GRANT SELECT ON uk_boundary, grid_squares, task_log TO {central};
GRANT INSERT ({squares}) ON grid_squares TO {central};
GRANT INSERT ({log}) ON task_log TO {central};
CREATE TABLE IF NOT EXISTS geopython.verdicts (
  machine text NOT NULL DEFAULT regexp_replace(session_user, '.*-', ''), challenge int NOT NULL,
  code text NOT NULL CHECK (length(code) < 80), at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE geopython.verdicts OWNER TO geopython;
GRANT INSERT (challenge, code) ON geopython.verdicts TO {central};
ALTER TABLE grid_squares ALTER machine SET DEFAULT regexp_replace(session_user, '.*-', '');
ALTER TABLE task_log ALTER machine SET DEFAULT regexp_replace(session_user, '.*-', '');
""")

# A machine may change some of it for its own role, until this is done again.
_MACHINE = sql.SQL("""\
ALTER ROLE {role} PASSWORD {password} CONNECTION LIMIT {sessions} VALID UNTIL {until};
ALTER ROLE {role} SET statement_timeout = '60s';
ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE {role} SET temp_file_limit = '100MB';
""")


def settle(site: Site) -> None:
    """Make database and roles as ``central.json`` wants them; remove what else has that id.

    The database of a closed class keeps its squares for the next one. That of a rehearsal goes.
    """
    central = CentralConfig.read()
    if not central:
        return
    with connect(site, "postgres") as server:
        server.execute("SELECT pg_advisory_lock(%s)", [_ONE_AT_A_TIME])
        _settle(site, central, server)


def _settle(site: Site, central: CentralConfig, server: Connection) -> None:
    name, wanted = sql.Identifier(central.id), central.accounts
    found = server.execute("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", [central.id])
    there = {role for (role,) in found}
    if central.fleeting and not central.passwords:
        server.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))
        for role in there:
            server.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
        return
    if central.id not in there:
        server.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(name))
    create_database(site.of(central))
    with connect(site, central.id) as database:
        _close_and_grant(database, name)
        _remove(database, there - wanted.keys() - {central.id})
        sessions = min(SESSIONS, (CENTRAL_SESSIONS - _FOR_OWNER) // (len(wanted) or 1))
        for account, password in wanted.items():
            role = sql.Identifier(account)
            if account not in there:
                database.execute(sql.SQL("CREATE ROLE {} LOGIN IN ROLE {}").format(role, name))
            until = central.until.isoformat()
            database.execute(_MACHINE.format(role=role, password=password, sessions=sessions, until=until))


def _close_and_grant(database: Connection, name: sql.Identifier) -> None:
    columns = {
        table: sql.SQL(
            ", ".join(each.name for each in model.__table__.columns if each.name not in _FILLED_IN)
        )
        for table, model in (("squares", db.GridSquare), ("log", db.TaskLog))
    }
    database.execute(_DATABASE.format(central=name, sessions=CENTRAL_SESSIONS, **columns))


def _remove(database: Connection, names: set[str]) -> None:
    for name in names:
        role = sql.Identifier(name)
        database.execute(sql.SQL("ALTER ROLE {} NOLOGIN").format(role))
        database.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
        database.execute(sql.SQL("DROP OWNED BY {0}; DROP ROLE {0}").format(role))
