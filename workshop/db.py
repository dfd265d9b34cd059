"""The tables in PostGIS and the one statement that a task sends.

Open the tables in QGIS or pgAdmin: each has a primary key, and each geometry a type and a CRS.
All geometries are on the British National Grid, EPSG:27700, in metres.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from geoalchemy2 import Geometry, WKBElement
from sqlalchemy import (
    CheckConstraint,
    CursorResult,
    Engine,
    Executable,
    Identity,
    MetaData,
    bindparam,
    create_engine,
    exists,
    func,
    select,
)
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workshop.settings import database_url


class Base(DeclarativeBase):
    """The tables of the course, in the schema `geopython`."""

    metadata = MetaData(schema="geopython")


class UkBoundary(Base):
    """One nation: ENG, SCT, WLS, NIR or IMN."""

    __tablename__ = "uk_boundary"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    geom: Mapped[WKBElement] = mapped_column(Geometry("MULTIPOLYGON", 27700))


class GridSquare(Base):
    """One finished task: the 1 km square around its point."""

    __tablename__ = "grid_squares"
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    grid_ref: Mapped[str]
    style_cat: Mapped[str] = mapped_column(
        CheckConstraint("style_cat IN ('ENG', 'SCT', 'WLS', 'NIR', 'IMN', 'SEA')")
    )
    x: Mapped[float]
    y: Mapped[float]
    geom: Mapped[WKBElement] = mapped_column(Geometry("POLYGON", 27700))
    worker: Mapped[str]
    attempt: Mapped[int]
    processed_at: Mapped[datetime] = mapped_column(server_default=func.now())


class TaskLog(Base):
    """One retry or one final failure."""

    __tablename__ = "task_log"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(CheckConstraint("state IN ('RETRY', 'FAILURE')"))
    attempt: Mapped[int]
    error: Mapped[str]
    worker: Mapped[str]
    at: Mapped[datetime] = mapped_column(server_default=func.now())


class NationCount(Base):
    """How many squares a nation had at one time; `workshop.periodic` writes them."""

    __tablename__ = "nation_counts"
    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    style_cat: Mapped[str]
    squares: Mapped[int]
    counted_at: Mapped[datetime] = mapped_column(server_default=func.now())


_columns = GridSquare.__table__.columns
_sent = {
    name: bindparam(name, type_=_columns[name].type)
    for name in ("task_id", "grid_ref", "x", "y", "geom", "worker", "attempt")
}
_point = func.ST_SetSRID(func.ST_Point(_sent["x"], _sent["y"]), 27700)
_nation = (
    select(func.min(UkBoundary.code)).where(func.ST_Intersects(UkBoundary.geom, _point)).scalar_subquery()
)
_row = select(func.coalesce(_nation, "SEA"), *_sent.values()).where(exists(select(UkBoundary.code)))
STORE_SQUARE = insert(GridSquare).from_select(["style_cat", *_sent], _row).on_conflict_do_nothing()
"""Finds the nation and writes the row, in one round trip; a task that ran before changes nothing."""


class BoundaryMissing(Exception):
    """The table `uk_boundary` is empty, so no nation can be found."""


def store_square(**values: Any) -> None:
    """Write the square of one task, unless this task has written it before.

    Parameters
    ----------
    **values
        task_id, grid_ref, x and y (metres, EPSG:27700), geom (the square), worker and attempt.

    Raises
    ------
    BoundaryMissing
        If `uk_boundary` is empty. That is a fault of the set-up, not of the task.
    """
    if (
        execute(STORE_SQUARE, values).rowcount == 0
        and not execute(select(func.count(UkBoundary.code))).scalar()
    ):
        raise BoundaryMissing("The table geopython.uk_boundary is empty. Run: workshop up")


def execute(statement: Executable, values: Mapping[str, Any] | None = None) -> CursorResult:
    """Send one statement; if its connection turns out to be dead, once more on a fresh one."""
    try:
        return _execute(statement, values)
    except DBAPIError as error:
        if not error.connection_invalidated:
            raise
        return _execute(statement, values)


def _execute(statement: Executable, values: Mapping[str, Any] | None) -> CursorResult:
    with engine().connect() as connection:
        return connection.execute(statement, values)


def engine() -> Engine:
    """Return the connections of this process to the database that the settings name now."""
    return _engine(database_url())


@cache
def _engine(url: str) -> Engine:
    return create_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_reset_on_return=None,
        connect_args={"connect_timeout": 3, "options": "-c statement_timeout=4000"},
    )
