"""The squares of a part of the grid are Ordnance Survey's, and nations are those of the database's rule."""

import pytest

from backstage.classroom.country import centres, nations_at
from workshop import grid
from workshop.errors import WrongUse
from workshop.maps import read_boundary


def test_every_square_of_the_grid_is_there_once():
    every = centres("all")
    assert len(every) == len(set(every)) == 910_000
    assert all(grid.square(*point).centroid.coords[0] == point for point in every[::2000])


def test_the_land_is_what_touches_a_nation():
    land = set(centres("land"))
    assert len(land) == 251_954
    some = centres("all")[::17]
    inside = [point for point, nation in zip(some, nations_at(some), strict=True) if nation != "SEA"]
    assert inside and land.issuperset(inside)
    edinburgh, north_sea = (325_500, 673_500), (650_500, 900_500)
    assert edinburgh in land and north_sea not in land
    assert edinburgh in centres("SCT") and edinburgh not in centres("ENG")


@pytest.mark.parametrize("letters", ["NT", "SV", "HP"])
def test_two_letters_are_a_large_square(letters):
    found = centres(letters)
    assert len(found) == 10_000
    assert {grid.reference(*point)[:2] for point in found} == {letters}


@pytest.mark.parametrize("wrong", ["XX", "", "GER", "nt"])
def test_no_such_part(wrong):
    with pytest.raises(WrongUse, match="ENG, SCT, WLS, NIR, IMN"):
        centres(wrong)


def test_nations_are_those_of_the_map():
    points = read_boundary().set_index("code").geom.representative_point()
    assert nations_at([(point.x, point.y) for point in points]) == points.index.tolist()
