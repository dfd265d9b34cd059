"""The tables of the course, and the nations in them."""

from json import loads

from geoalchemy2 import WKTElement
from shapely.geometry import shape
from sqlalchemy import Connection, Table, create_engine, func, inspect, select
from sqlalchemy.dialects.postgresql import insert

from backstage.stack.service import START_AFRESH, StartFailed
from workshop import db
from workshop.data import BOUNDARY

_ONE_AT_A_TIME = 27700
"""The number of the lock that keeps two containers from creating the same table."""


def create_schema(database_url: str) -> None:
    """Create the tables that are missing, and load the nations if there are none.

    Parameters
    ----------
    database_url : str
        The database, with a role that may create tables in the schema `geopython`.

    Raises
    ------
    StartFailed
        If a table is that of an older version of the course.
    """
    engine = create_engine(database_url)
    try:
        with engine.begin() as connection:
            connection.execute(func.pg_advisory_xact_lock(_ONE_AT_A_TIME).select())
            db.Base.metadata.create_all(connection)
            for table in db.Base.metadata.sorted_tables:
                _refuse_older(connection, table)
            if not connection.execute(select(func.count(db.UkBoundary.code))).scalar():
                connection.execute(insert(db.UkBoundary).on_conflict_do_nothing(), nations())
    finally:
        engine.dispose()


def _refuse_older(connection: Connection, table: Table) -> None:
    there = {column["name"] for column in inspect(connection).get_columns(table.name, "geopython")}
    if missing := [column.name for column in table.columns if column.name not in there]:
        raise StartFailed(
            f"The table {table} was made by an older version of the course: it has no column "
            f"{', '.join(missing)}. Nothing was changed.\n",
            "start that version once more and save the rows that you need, such as with QGIS. "
            f"{START_AFRESH}",
        )


def nations() -> list[dict[str, object]]:
    """Return the rows of `uk_boundary` from the file in `workshop.data` (EPSG:27700)."""
    return [
        {
            "code": feature["properties"]["code"],
            "name": feature["properties"]["name"],
            "geom": WKTElement(shape(feature["geometry"]).wkt, srid=27700),
        }
        for feature in loads(BOUNDARY.read_text(encoding="utf-8"))["features"]
    ]
