"""The files of nations and neighbours are those that SOURCE.md describes."""

import hashlib
from itertools import combinations

import geopandas as gpd
import pytest

from workshop.data import BOUNDARY, NEIGHBOURS

SOURCE = BOUNDARY.with_name("SOURCE.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def nations() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(gpd.read_file(BOUNDARY).set_index("code"))


@pytest.mark.parametrize("file", [BOUNDARY, NEIGHBOURS], ids=lambda file: file.stem)
def test_file_has_the_checksum_in_source_md(file):
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    assert f"| `{file.name}` | `{checksum}` |" in SOURCE


def test_geometries_are_valid_multipolygons(nations):
    assert nations.is_valid.all()
    assert set(nations.geom_type) == {"MultiPolygon"}


def test_coordinates_are_whole_metres(nations):
    coordinates = nations.get_coordinates()
    assert (coordinates == coordinates.round()).all(axis=None)


def test_neighbours_are_on_the_grid_and_in_no_nation(nations):
    around = gpd.read_file(NEIGHBOURS)
    assert around.is_valid.all()
    west, south, east, north = around.total_bounds
    assert (west, south) >= (0, 0) and (east, north) <= (700_000, 1_300_000)
    overlap = around.union_all().intersection(nations.union_all()).area
    assert overlap < 1_000_000, "of Ireland's border, which is drawn with whole metres on both sides"


def test_nations_do_not_overlap(nations):
    assert [one.intersection(other).area for one, other in combinations(nations.geometry, 2)] == [0] * 10
