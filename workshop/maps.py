"""Squares and nations as GeoPandas tables, and a map of them that needs no internet.

The map shows in a notebook as it is, and ``map.save("demo.html")`` makes one file that opens anywhere.
"""

from collections.abc import Iterable
from uuid import UUID

import geopandas as gpd
import pandas as pd
from sqlalchemy import select

from workshop.data import BOUNDARY
from workshop.database import among, engine
from workshop.db import GridSquare
from workshop.delivery.record import uuids
from workshop.grid import CRS
from workshop.gridmap import GridMap

NATIONS = {
    "ENG": ("England", "#D55E00"),
    "SCT": ("Scotland", "#0072B2"),
    "WLS": ("Wales", "#009E73"),
    "NIR": ("Northern Ireland", "#E69F00"),
    "IMN": ("Isle of Man", "#CC79A7"),
    "SEA": ("Sea", "#56B4E9"),
}
"""Name and colour of each code in `style_cat`. The colours, by Okabe and Ito, suit colour-blind eyes."""

LABELS = {
    "England": (610_000, 440_000),
    "Scotland": (500_000, 800_000),
    "Wales": (115_000, 270_000),
    "Northern Ireland": (30_000, 635_000),
    "Isle of Man": (205_000, 435_000),
}
"""Where a map writes each name: in the sea beside the nation, in metres (EPSG:27700)."""

TOOLTIPS_UP_TO = 2500
BOLD_UP_TO = 25


def read_squares(task_ids: Iterable[str | UUID] | None = None) -> gpd.GeoDataFrame:
    """Read finished squares from PostGIS, sorted by grid reference and task id.

    Parameters
    ----------
    task_ids : iterable of str or UUID, optional
        Only the squares of these tasks. Without it, all squares.

    Returns
    -------
    GeoDataFrame
        One row for each square of a finished task: task_id, grid_ref, style_cat (a key of `NATIONS`), x and y
        (metres), worker, machine (the account that wrote it), attempt, processed_at and geom, the
        square (EPSG:27700).

    Raises
    ------
    sqlalchemy.exc.OperationalError
        If the database does not answer.
    """
    row = GridSquare
    columns = (row.task_id, row.grid_ref, row.style_cat, row.x, row.y, row.worker, row.machine)
    query = select(*columns, row.attempt, row.processed_at, row.geom).order_by(row.grid_ref, row.task_id)
    if task_ids is not None:
        query = query.where(among(row.task_id, uuids(task_ids)))
    # geopandas takes a query too, but its annotation says text
    return gpd.read_postgis(query, engine(), geom_col="geom", crs=CRS)  # pyright: ignore


def read_boundary() -> gpd.GeoDataFrame:
    """Read the nations from the course's own file, without a database.

    Returns
    -------
    GeoDataFrame
        code, name and geom (EPSG:27700). The source is Natural Earth; see data/SOURCE.md.
    """
    return gpd.read_file(BOUNDARY).rename_geometry("geom")


def count_by_nation(squares: gpd.GeoDataFrame) -> pd.DataFrame:
    """Count squares in each nation. Two tasks in one square count as two.

    Parameters
    ----------
    squares : GeoDataFrame
        What `read_squares` returns; only style_cat is used.

    Returns
    -------
    DataFrame
        A column `squares`, one row for each name in `NATIONS`, in that order, with zeros too.
    """
    counts = squares["style_cat"].value_counts().reindex(list(NATIONS), fill_value=0)
    names = pd.Index([name for name, _ in NATIONS.values()], name="nation")
    return pd.DataFrame({"squares": counts.to_numpy(dtype=int)}, index=names)


def squares_map(squares: gpd.GeoDataFrame) -> GridMap:
    """Draw squares on a map of the nations that works without the internet.

    Each square is drawn once, however many tasks hit it. Where points of one square lie in different
    nations, it takes the nation that `NATIONS` names first, so land goes before sea. Up to `BOLD_UP_TO`
    squares are outlined boldly: one of the whole country is hard to see. With more than `TOOLTIPS_UP_TO`,
    each nation is one shape without tooltips.

    Parameters
    ----------
    squares : GeoDataFrame
        What `read_squares` returns: grid_ref, style_cat and polygons (EPSG:27700). May be empty.

    Returns
    -------
    GridMap
        A folium map. It says nothing of workers and times, so the same squares give the same map.
    """
    counts = count_by_nation(squares)
    drawn = GridMap(_in_words(counts), LABELS, _legend(counts))
    drawn.add_coast(read_boundary().geometry.simplify_coverage(200))
    once = _each_square_once(squares)
    for code in reversed(NATIONS):
        of_nation = once.loc[once["style_cat"] == code]
        _add_nation(drawn, code, of_nation, len(once))
    return drawn


def _each_square_once(squares: gpd.GeoDataFrame) -> pd.DataFrame:
    tasks = squares.groupby("grid_ref")["style_cat"].size()
    order = squares["style_cat"].map(list(NATIONS).index).argsort(kind="stable")
    once = squares.iloc[order].drop_duplicates("grid_ref").sort_values("grid_ref")
    return once.assign(tasks=once["grid_ref"].map(tasks))


def _add_nation(drawn: GridMap, code: str, squares: pd.DataFrame, on_the_map: int) -> None:
    name, colour = NATIONS[code]
    strength = 0.55 if code == "SEA" else 1
    weight = 9 if on_the_map <= BOLD_UP_TO else 2.5
    style = {"color": colour, "opacity": strength, "fillOpacity": strength * 0.6, "weight": weight}
    if on_the_map <= TOOLTIPS_UP_TO:
        rows = zip(squares["grid_ref"], squares["tasks"], strict=True)
        texts = [f"{reference}, {name}, {_number(tasks, 'task')}" for reference, tasks in rows]
        drawn.add_squares(squares["geom"], texts, **style)
    elif len(squares):
        drawn.add_merged(squares["geom"], **style)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _in_words(counts: pd.DataFrame) -> str:
    nations = ", ".join(f"{name} {count:,}" for name, count in counts["squares"].items())
    total = _number(sum(counts["squares"]), "square")
    return f"Map of Great Britain, Northern Ireland and the Isle of Man with {total}: {nations}."


def _legend(counts: pd.DataFrame) -> str:
    rows = "".join(
        f'<tr><td><i style="background:{colour}"></i></td><th scope="row">{name}</th><td>{count:,}</td></tr>'
        for (name, colour), count in zip(NATIONS.values(), counts["squares"], strict=True)
    )
    caption = _number(sum(counts["squares"]), "square")
    return f"<table><caption>{caption}</caption>{rows}</table><p>Coast: Natural Earth</p>"
