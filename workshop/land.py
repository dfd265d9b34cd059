"""The land that maps draw: the nations that tasks look up, and the countries around them on the grid."""

from functools import cache

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from workshop.data import BOUNDARY, NEIGHBOURS
from workshop.grid import HEIGHT, WIDTH


def read_boundary() -> gpd.GeoDataFrame:
    """Read the nations from the course's own file, without a database.

    Returns
    -------
    GeoDataFrame
        code, name and geom (EPSG:27700). The source is Natural Earth; see data/SOURCE.md.
    """
    return gpd.read_file(BOUNDARY).rename_geometry("geom")


@cache
def read_land() -> gpd.GeoDataFrame:
    """Read the nations, then the countries around, with their coasts for a map of the whole grid.

    Returns
    -------
    GeoDataFrame
        code, name, geom (EPSG:27700, cut at the edge of the grid) and around, which is True for countries
        that no task looks up.
    """
    around = gpd.read_file(NEIGHBOURS).rename_geometry("geom")
    land = pd.concat([read_boundary().assign(around=False), around.assign(around=True)], ignore_index=True)
    return land.set_geometry(land.geometry.simplify_coverage(200))


@cache
def as_svg() -> str:
    """Return the land of the whole grid: its unit is 100 m, its classes are `land` and `around`."""
    paths = {"around": "", "land": ""}
    for country in read_land().itertuples():
        rings = shapely.get_rings(shapely.get_parts(country.geom))
        paths["around" if country.around else "land"] += "".join(map(_path, rings))
    drawn = "".join(f'<path class="{kind}" d="{path}"/>' for kind, path in paths.items())
    size = f"0 0 {WIDTH // 100} {HEIGHT // 100}"
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{size}">{drawn}</svg>'


def _path(ring: shapely.LinearRing) -> str:
    points = np.rint((shapely.get_coordinates(ring) * [1, -1] + [0, HEIGHT]) / 100).astype(int)
    steps = np.diff(points, axis=0)[:-1]
    return "M{},{}l".format(*points[0]) + " ".join(f"{x},{y}" for x, y in steps if x or y) + "z"
