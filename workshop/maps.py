"""Squares and nations as GeoPandas tables, and a map of them that needs no internet.

The map shows in a notebook as it is, and ``map.save("demo.html")`` makes one file that opens anywhere.
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias
from uuid import UUID

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
import sqlalchemy as sa

from workshop.colours import GREY, NATIONS, colour, ramp, shade
from workshop.database import engine
from workshop.delivery.record import uuids
from workshop.errors import WorkshopError
from workshop.grid import CRS, HEIGHT, WIDTH
from workshop.gridmap import GridMap
from workshop.land import read_boundary as read_boundary

By = Literal["nation", "worker", "machine", "attempt", "time"]
"""What the colours of a map can stand for."""

Squares: TypeAlias = gpd.GeoDataFrame | Iterable[str | UUID] | None
"""What `read_squares` returned, or the ids of tasks, or None for all there are in the database."""

PLACES = {
    "England": (610_000, 440_000),
    "Scotland": (500_000, 800_000),
    "Wales": (115_000, 270_000),
    "Northern Ireland": (30_000, 635_000),
    "Isle of Man": (205_000, 435_000),
    "Ireland": (60_000, 390_000),
    "France": (650_000, 50_000),
}
"""Where a map writes each name: in the sea beside a nation, in metres (EPSG:27700)."""

TASKS_UP_TO = 2500
"""Up to so many squares, a tooltip says how many tasks hit one."""

_COLUMNS = {by: by for by in ("worker", "machine", "attempt")} | {"nation": "style_cat", "time": "''"}
_ACROSS, _SHADES, _REPLAY, _MOST = WIDTH // 1000, 8, 50, 40
_IN_FULL = 25_000
"""Above it the replay goes by squares of 4 km, so that a page hardly grows with their number."""

_KINDS: dict[str, type] = dict.fromkeys(("task_id", "grid_ref", "style_cat"), str)
_KINDS |= {"x": float, "y": float, "worker": str, "machine": str, "attempt": int, "processed_at": int}
_SQUARES = """
    SELECT task_id::text, grid_ref, style_cat, x, y, worker, machine, attempt,
           (date_part('epoch', processed_at) * 1000000)::bigint AS processed_at
    FROM geopython.grid_squares {where}
"""
_PACKED = """
    SELECT {column}::text, string_agg(int4send(floor(y / 1000)::int * 700 + floor(x / 1000)::int)
           || float8send(date_part('epoch', processed_at)) || substring(uuid_send(task_id) FOR 8), '')
    FROM (SELECT * FROM geopython.grid_squares {where}) AS chosen
    WHERE x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000 GROUP BY 1
"""
_PACK = np.dtype([("square", ">i4"), ("at", ">f8"), ("task", ">u8")])
"""A row in 20 bytes: its square, when it was written, and the half of its task's id, enough to count them."""


def read_squares(task_ids: Iterable[str | UUID] | None = None) -> gpd.GeoDataFrame:
    """Read finished squares from PostGIS, sorted by grid reference and task id.

    Parameters
    ----------
    task_ids : iterable of str or UUID, optional
        Only the squares of these tasks. Without it, all squares.

    Returns
    -------
    GeoDataFrame
        One row for each square of a finished task: task_id (a text), grid_ref, style_cat (a key of
        `NATIONS`), x and y (metres), worker, machine (the account that wrote it), attempt, processed_at and
        geom, the square (EPSG:27700), which is computed from x and y.

    Raises
    ------
    sqlalchemy.exc.OperationalError
        If the database does not answer.
    """
    with _no_collector():
        with _asking(_SQUARES, task_ids) as (connection, query, values):
            rows = connection.connection.cursor(binary=True).execute(query, values)
            table = pd.DataFrame(rows.fetchall(), columns=list(_KINDS)).astype(_KINDS)
        # In such an array each text takes as much room as the longest, whatever someone wrote there.
        order = np.lexsort([table[name].str[:40].to_numpy(str) for name in ("task_id", "grid_ref")])
        table = table.iloc[order].reset_index(drop=True)
        west, south = (table[each].to_numpy() // 1000 * 1000 for each in "xy")
        squares = shapely.box(west, south, west + 1000, south + 1000)
    table["processed_at"] = pd.to_datetime(table["processed_at"], unit="us", utc=True)
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(squares, crs=CRS)).rename_geometry("geom")


def count_by_nation(squares: Squares = None) -> pd.DataFrame:
    """Count the squares of each nation, and the tasks that hit it.

    Parameters
    ----------
    squares : GeoDataFrame or iterable of str or UUID, optional
        Squares, or the tasks whose squares; by default all in the database.

    Returns
    -------
    DataFrame
        Columns `squares` and `tasks`, one row for each name in `NATIONS`, in that order, with zeros too. Each
        square counts once, where `squares_map` draws it; a task counts in each nation that it hit.
    """
    rows = _rows(squares, "nation")
    picture = _picture(rows, _keys(rows, "nation")[1], "nation")
    tasks = rows.groupby("name", observed=True)["task"].nunique().reindex(list(NATIONS), fill_value=0)
    counts = {"squares": np.bincount(picture, minlength=len(NATIONS) + 1)[1:], "tasks": tasks.to_numpy(int)}
    return pd.DataFrame(counts, index=pd.Index([name for name, _ in NATIONS.values()], name="nation"))


def squares_map(squares: Squares = None, by: By = "nation") -> GridMap:
    """Draw squares on a map that works without the internet, as fast and as small with 910,000 as with one.

    Each square is drawn once, however many tasks hit it. Where points of one square lie in different
    nations, it takes the nation that `NATIONS` names first, so land goes before elsewhere; else what the
    latest task says. Few squares are drawn larger than they are, as long as one looks at the whole country.
    A tooltip names each, and a slider replays how they were painted.

    Parameters
    ----------
    squares : GeoDataFrame or iterable of str or UUID, optional
        What `read_squares` returned; or the tasks whose squares, or none for all: then they need not be read
        before, and many come as fast as they can.
    by : {'nation', 'worker', 'machine', 'attempt', 'time'}
        What the colours stand for.

    Returns
    -------
    GridMap
        A folium map. By nation it says nothing of workers.

    Raises
    ------
    workshop.errors.WorkshopError
        If `by` is something else.
    """
    if by not in _COLUMNS:
        raise WorkshopError(f"by is {by!r}. It must be one of: {', '.join(_COLUMNS)}.", "Correct it")
    rows = _rows(squares, by)
    legend, keys = _keys(rows, by)
    picture, seconds = _picture(rows, keys, by), rows["at"].max() if len(rows) else 0
    counts = np.bincount(picture, minlength=len(legend) + 1)[1:].tolist()
    drawn, tasks = sum(counts), rows["task"].nunique()
    title = f"{_number(drawn, 'square')}, {_number(tasks, 'task')}"
    by_name = ", ".join(f"{name} {count:,}" for (name, _), count in zip(legend, counts, strict=True))
    side = 1 if drawn <= _IN_FULL else 4
    hits = rows["square"].value_counts() if drawn <= TASKS_UP_TO else None
    return GridMap(
        title,
        [(*key, count) for key, count in zip(legend, counts, strict=True)],
        picture.tobytes() + _steps(rows, seconds, side).tobytes(),
        steps=_REPLAY if seconds else 0,
        seconds=round(float(seconds), 1),
        side=side,
        words=f"Map of Great Britain, Northern Ireland and the Isle of Man with {title}: {by_name}.",
        places=PLACES,
        tasks=None if hits is None else hits[hits > 1].sort_index().to_dict(),
    )


@contextmanager
def _no_collector() -> Iterator[None]:
    """Pause the search for garbage, which would look at each of so many new objects again and again."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


@contextmanager
def _asking(
    query: str, task_ids: Iterable[str | UUID] | None, **parts: str
) -> Iterator[tuple[sa.Connection, str, dict[str, Any]]]:
    """Open a connection for a query that may take longer than one of a task."""
    where = "" if task_ids is None else "WHERE task_id = ANY(%(ids)s)"
    values = {} if task_ids is None else {"ids": uuids(task_ids)}
    with engine().execution_options(isolation_level="READ COMMITTED").begin() as connection:
        connection.exec_driver_sql("SET LOCAL statement_timeout = '60s'")
        yield connection, query.format(where=where, **parts), values


def _rows(squares: Squares, by: By) -> pd.DataFrame:
    """Return name, square, at (seconds since the first) and task of each row on the grid."""
    column = _COLUMNS[by]
    if isinstance(squares, pd.DataFrame):
        within = (squares["x"] // WIDTH == 0) & (squares["y"] // HEIGHT == 0)
        on_grid = pd.DataFrame(squares[within])
        square = (on_grid["y"] // 1000 * _ACROSS + on_grid["x"] // 1000).astype(int)
        at = (on_grid["processed_at"] - on_grid["processed_at"].min()).dt.total_seconds()
        names = on_grid[column].astype(str) if by != "time" else pd.Series("", on_grid.index)
        rows = pd.DataFrame({"name": names, "square": square, "at": at, "task": on_grid["task_id"]})
        return rows.astype({"name": "category"})
    with _asking(_PACKED, squares, column=column) as (connection, query, values):
        answer = connection.exec_driver_sql(query, values or None).all()
    found = {name: np.frombuffer(packed, _PACK) for name, packed in answer}
    packed = np.concatenate([np.empty(0, _PACK), *found.values()])
    rows = pd.DataFrame(packed.astype(_PACK.newbyteorder("=")))
    codes = np.repeat(np.arange(len(found)), [len(each) for each in found.values()])
    names = pd.Categorical.from_codes(codes, categories=list(found))
    return rows.assign(name=names, at=rows["at"] - rows["at"].min())


def _keys(rows: pd.DataFrame, by: By) -> tuple[list[tuple[str, str]], np.ndarray]:
    """Return names and colours of the legend, and for each row its place there."""
    if by == "time":
        last = rows["at"].max() if len(rows) else 0
        places = np.minimum(rows["at"] * _SHADES // (last or 1), _SHADES - 1).to_numpy(int)
        ends = [f"up to {last * (step + 1) / _SHADES:.1f} s" for step in range(_SHADES)]
        return list(zip(ends, ramp(_SHADES), strict=True)), places
    if by == "nation":
        order, legend = list(NATIONS), list(NATIONS.values())
        legend[-1] = (legend[-1][0], legend[-1][1] + "8C")  # fainter than land
    else:
        most = list(rows["name"].value_counts().index[:_MOST])
        order = sorted(most, key=lambda name: (len(name), name))
        colours = [colour(name) if by == "machine" else shade(number) for number, name in enumerate(order)]
        names = [f"attempt {name}" if by == "attempt" else name for name in order]
        legend = list(zip(names, colours, strict=True))
    places = pd.Index(order).get_indexer(rows["name"].cat.categories)
    if (places < 0).any():
        legend.append(("others", GREY))
    return legend, np.where(places < 0, len(order), places)[rows["name"].cat.codes]


def _picture(rows: pd.DataFrame, keys: np.ndarray, by: By) -> np.ndarray:
    """Return for each square of the grid its place in the legend, counted from 1, or 0."""
    picture = np.zeros(_ACROSS * (HEIGHT // 1000), np.uint8)
    order = np.argsort(-keys.astype(np.int8) if by == "nation" else rows["at"].to_numpy(), kind="stable")
    picture[rows["square"].to_numpy()[order]] = keys[order] + 1  # the last one stays
    return picture


def _steps(rows: pd.DataFrame, seconds: float, side: int) -> np.ndarray:
    """Return for each part of the grid in which step of the replay a square of it came first."""
    steps = np.zeros(_ACROSS * (HEIGHT // 1000), np.uint8)
    if seconds:
        step = np.maximum(np.ceil(rows["at"].to_numpy() / seconds * _REPLAY), 1).astype(np.uint8)
        order = np.argsort(_REPLAY - step, kind="stable")
        steps[rows["square"].to_numpy()[order]] = step[order]
    parts = steps.reshape(-1, side, _ACROSS // side, side).swapaxes(1, 2).reshape(-1, side * side)
    return parts[np.arange(len(parts)), (parts > 0).argmax(axis=1)]


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"
