"""The tables in PostGIS and the one statement that a task sends.

Open the tables in QGIS or pgAdmin: each has a primary key, and each geometry a type and a CRS.
All geometries are on the British National Grid, EPSG:27700, in metres.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from geoalchemy2 import Geometry, WKBElement
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workshop.database import execute, unavailable

CODES = ("ENG", "SCT", "WLS", "NIR", "IMN", "SEA")
"""England, Scotland, Wales, Northern Ireland, Isle of Man, and everywhere else."""


class Base(DeclarativeBase):
    """The tables of the course, in the schema `geopython`."""

    metadata = sa.MetaData(schema="geopython")
    type_annotation_map = {datetime: sa.DateTime(timezone=True)}


class UkBoundary(Base):
    """One nation: ENG, SCT, WLS, NIR or IMN."""

    __tablename__ = "uk_boundary"
    code: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    geom: Mapped[WKBElement] = mapped_column(Geometry("MULTIPOLYGON", 27700))


class GridSquare(Base):
    """The table `grid_squares`: one row for each finished task, the 1 km square around its point.

    `machine` is the account that wrote the row: the database fills it in, whatever a worker calls itself.
    """

    __tablename__ = "grid_squares"
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    grid_ref: Mapped[str]
    style_cat: Mapped[str] = mapped_column(sa.CheckConstraint(f"style_cat IN {CODES}"))
    x: Mapped[float]
    y: Mapped[float]
    geom: Mapped[WKBElement] = mapped_column(Geometry("POLYGON", 27700))
    worker: Mapped[str]
    attempt: Mapped[int]
    machine: Mapped[str] = mapped_column(server_default=sa.text("session_user"))
    processed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), index=True)


class TaskLog(Base):
    """One retry, with the seconds it named to wait, or one final failure."""

    __tablename__ = "task_log"
    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    task_id: Mapped[UUID] = mapped_column(index=True)
    state: Mapped[str] = mapped_column(sa.CheckConstraint("state IN ('RETRY', 'FAILURE')"))
    attempt: Mapped[int]
    error: Mapped[str]
    worker: Mapped[str]
    countdown: Mapped[float | None]
    machine: Mapped[str] = mapped_column(server_default=sa.text("session_user"))
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), index=True)


def nation_at(x: sa.ColumnElement, y: sa.ColumnElement) -> sa.ColumnElement[str]:
    """Return the SQL for the nation's code at a point in metres (EPSG:27700), or SEA."""
    point = sa.func.ST_SetSRID(sa.func.ST_Point(x, y), 27700)
    nation = sa.select(sa.func.min(UkBoundary.code)).where(sa.func.ST_Intersects(UkBoundary.geom, point))
    return sa.func.coalesce(nation.scalar_subquery(), "SEA")


_columns = GridSquare.__table__.columns
_names = ("task_id", "grid_ref", "x", "y", "geom", "worker", "attempt")
_sent = {name: sa.bindparam(name, type_=_columns[name].type) for name in _names}
_row = sa.select(nation_at(_sent["x"], _sent["y"]), *_sent.values()).where(
    sa.exists(sa.select(UkBoundary.code))
)
STORE_SQUARE = (
    insert(GridSquare)
    .from_select(["style_cat", *_sent], _row)
    .on_conflict_do_nothing()
    .returning(GridSquare.task_id)
)
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
    stored = execute(STORE_SQUARE, values).first()
    if not stored and not execute(sa.select(sa.func.count(UkBoundary.code))).scalar():
        raise unavailable(BoundaryMissing("The table geopython.uk_boundary is empty. Run: workshop up"))
