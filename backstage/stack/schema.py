"""The database of the course, its tables, and the nations in them."""

from psycopg import sql
from sqlalchemy import Connection, Table, create_engine, inspect, text

from backstage.stack.postgis import connect
from backstage.stack.site import Site
from backstage.stack.texts import refusal, words
from workshop import db
from workshop.data import BOUNDARY

_ONE_AT_A_TIME = 27700
"""The number of the lock that keeps two containers from making the same database."""

_NATIONS = text("""\
INSERT INTO geopython.uk_boundary (code, name, geom)
SELECT nation -> 'properties' ->> 'code', nation -> 'properties' ->> 'name',
  ST_SetSRID(ST_GeomFromGeoJSON(nation -> 'geometry'), 27700)
FROM jsonb_array_elements(CAST(:file AS jsonb) -> 'features') AS nation
ON CONFLICT DO NOTHING
""")


def create_database(site: Site) -> None:
    """Make role, database, extension and schema where they are missing, then the tables."""
    name = sql.Identifier(site.database)
    with connect(site, "postgres") as server:
        server.execute("SELECT pg_advisory_lock(%s)", [_ONE_AT_A_TIME])
        if not server.execute("SELECT 1 FROM pg_roles WHERE rolname = 'geopython'").fetchone():
            server.execute("CREATE ROLE geopython LOGIN PASSWORD 'geopython'")
        if not server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [site.database]).fetchone():
            server.execute(sql.SQL("CREATE DATABASE {} OWNER geopython").format(name))
        server.execute(sql.SQL("ALTER DATABASE {} SET search_path = geopython, public").format(name))
        with connect(site, site.database) as database:
            database.execute("CREATE EXTENSION IF NOT EXISTS postgis SCHEMA public")
            database.execute("CREATE SCHEMA IF NOT EXISTS geopython AUTHORIZATION geopython")
        create_schema(site.database_url)


def create_schema(database_url: str) -> None:
    """Create the tables that are missing, and load the nations that are.

    Parameters
    ----------
    database_url : str
        The database, with a role that may create tables in the schema `geopython`.

    Raises
    ------
    WorkshopError
        If a table is that of an older version of the course.
    """
    engine = create_engine(database_url)
    try:
        with engine.begin() as connection:
            db.Base.metadata.create_all(connection)
            for table in db.Base.metadata.sorted_tables:
                _refuse_older(connection, table)
            connection.execute(_NATIONS, {"file": BOUNDARY.read_text(encoding="utf-8")})
    finally:
        engine.dispose()


def _refuse_older(connection: Connection, table: Table) -> None:
    found = inspect(connection)
    there = {column["name"] for column in found.get_columns(table.name, "geopython")}
    key = found.get_pk_constraint(table.name, "geopython")["constrained_columns"]
    if not there >= {each.name for each in table.columns} or key != [each.name for each in table.primary_key]:
        raise refusal("older-table", table=table, afresh=words("start-afresh"))
