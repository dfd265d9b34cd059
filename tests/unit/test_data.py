"""The file of nations is the one that SOURCE.md describes."""

import hashlib
from itertools import combinations

import geopandas as gpd
import pytest

from workshop.data import BOUNDARY

SOURCE = BOUNDARY.with_name("SOURCE.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def nations() -> gpd.GeoDataFrame:
    return gpd.GeoDataFrame(gpd.read_file(BOUNDARY).set_index("code"))


def test_file_has_the_checksum_in_source_md():
    checksum = hashlib.sha256(BOUNDARY.read_bytes()).hexdigest()
    assert f"| `uk_boundary.geojson` | `{checksum}` |" in SOURCE


def test_geometries_are_valid_multipolygons(nations):
    assert nations.is_valid.all()
    assert set(nations.geom_type) == {"MultiPolygon"}


def test_coordinates_are_whole_metres(nations):
    coordinates = nations.get_coordinates()
    assert (coordinates == coordinates.round()).all(axis=None)


def test_nations_do_not_overlap(nations):
    assert [one.intersection(other).area for one, other in combinations(nations.geometry, 2)] == [0] * 10
