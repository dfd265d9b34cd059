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


def test_five_nations_with_their_names(nations):
    assert nations["name"].to_dict() == {
        "ENG": "England",
        "SCT": "Scotland",
        "WLS": "Wales",
        "NIR": "Northern Ireland",
        "IMN": "Isle of Man",
    }


def test_crs_is_the_british_national_grid(nations):
    assert nations.crs.to_epsg() == 27700


def test_geometries_are_valid_multipolygons(nations):
    assert nations.is_valid.all()
    assert set(nations.geom_type) == {"MultiPolygon"}


def test_coordinates_are_whole_metres(nations):
    coordinates = nations.get_coordinates()
    assert (coordinates == coordinates.round()).all(axis=None)


def test_nations_do_not_overlap(nations):
    assert [one.intersection(other).area for one, other in combinations(nations.geometry, 2)] == [0] * 10
