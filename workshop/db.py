"""The tables in PostGIS and the one statement that a task sends.

Open the tables in QGIS or pgAdmin: each has a primary key, and each geometry a type and a CRS.
All geometries are on the British National Grid, EPSG:27700, in metres.
"""

import json
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from geoalchemy2 import Geometry, WKBElement
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from workshop.database import Joined, execute, fetch, unavailable

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
    """The table `grid_squares`: one row for each 1 km square that a task has done.

    The task of a point has one, that of a block has all of the block. So a task that runs twice writes once.
    `machine` is the account that wrote the row: the database fills it in, whatever a worker calls itself.
    """

    __tablename__ = "grid_squares"
    task_id: Mapped[UUID] = mapped_column(primary_key=True)
    grid_ref: Mapped[str] = mapped_column(primary_key=True)
    style_cat: Mapped[str] = mapped_column(sa.CheckConstraint(f"style_cat IN {CODES}"))
    x: Mapped[float]
    y: Mapped[float]
    geom: Mapped[WKBElement] = mapped_column(Geometry("POLYGON", 27700))
    worker: Mapped[str]
    attempt: Mapped[int]
    machine: Mapped[str] = mapped_column(server_default=sa.text("session_user"))
    processed_at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), index=True)


class TaskLog(Base):
    """One retry, with the seconds it named to wait, or one final failure.

    An attempt that was delivered again, or whose line was sent twice, has one line.
    """

    __tablename__ = "task_log"
    __table_args__ = (sa.UniqueConstraint("task_id", "state", "attempt"),)
    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    task_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(sa.CheckConstraint("state IN ('RETRY', 'FAILURE')"))
    attempt: Mapped[int]
    error: Mapped[str]
    worker: Mapped[str]
    countdown: Mapped[float | None]
    machine: Mapped[str] = mapped_column(server_default=sa.text("session_user"))
    at: Mapped[datetime] = mapped_column(server_default=sa.func.now(), index=True)


STORE_SQUARES = """
    INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt)
    SELECT task_id, grid_ref, coalesce(nation, 'SEA'), x, y, square, worker, attempt
    FROM json_to_recordset(%(squares)s) AS sent
           (task_id uuid, grid_ref text, x float8, y float8, worker text, attempt int),
         ST_SetSRID(ST_Point(x, y), 27700) AS point,
         LATERAL (SELECT floor(x / 1000) * 1000 AS west, floor(y / 1000) * 1000 AS south) AS corner,
         ST_MakeEnvelope(west, south, west + 1000, south + 1000, 27700) AS square,
         LATERAL (SELECT min(code) AS nation FROM geopython.uk_boundary
                  WHERE ST_Intersects(geom, point)) AS there
    WHERE EXISTS (SELECT FROM geopython.uk_boundary)
    ORDER BY task_id
    ON CONFLICT DO NOTHING
    RETURNING task_id
"""
"""Finds the nation of each square and writes its row, in one round trip; what ran before changes nothing."""


class BoundaryMissing(Exception):
    """The table `uk_boundary` is empty, so no nation can be found."""


def boundary_missing() -> Exception:
    """Return the error that says so; it is an outage, and no fault of the task that met it."""
    return unavailable(BoundaryMissing("The table geopython.uk_boundary is empty. Run: workshop up"))


def store_square(**values: Any) -> None:
    """Write the square of one task, unless this task has written it before.

    Threads that do so at the same time share one statement.

    Parameters
    ----------
    **values
        task_id, grid_ref, x and y (metres, EPSG:27700), worker and attempt.

    Raises
    ------
    BoundaryMissing
        If `uk_boundary` is empty. That is a fault of the set-up, not of the task.
    """
    _squares.write(values)


def _store(squares: list[dict[str, Any]]) -> None:
    stored = fetch(STORE_SQUARES, {"squares": json.dumps(squares, default=str)})
    if not stored and not execute(sa.select(sa.func.count(UkBoundary.code))).scalar():
        raise boundary_missing()


_squares = Joined(_store)
