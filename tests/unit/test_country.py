"""The squares of a part of the grid are Ordnance Survey's."""

import pytest
from osbng import BNGReference

from backstage.classroom.country import centres
from workshop import grid
from workshop.errors import WrongUse
from workshop.maps import read_boundary


def test_every_square_of_the_grid_is_there_once():
    every = centres("all")
    assert len(every) == len(set(every)) == 910_000
    squares = [BNGReference(grid.reference(*point)).bng_to_grid_geom() for point in every[::2000]]
    assert [square.centroid.coords[0] for square in squares] == every[::2000]


def test_the_land_is_what_touches_a_nation():
    land = set(centres("land"))
    assert len(land) == 251_954
    for point in read_boundary().geom.representative_point():
        assert (point.x // 1000 * 1000 + 500, point.y // 1000 * 1000 + 500) in land
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
