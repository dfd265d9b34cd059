"""The squares of the grid by number agree with Ordnance Survey's references and the database's rule."""

import numpy as np
import pytest

from backstage.classroom import country
from backstage.classroom.country import centres, nations_at, references, squares_of
from backstage.classroom.fill import Fill
from workshop import grid
from workshop.errors import WorkshopError
from workshop.maps import read_boundary

EVERY = np.arange(country.COLUMNS * country.ROWS)


def test_centres_and_references_are_those_of_the_grid():
    some = np.random.default_rng(1).choice(EVERY, 500)
    x, y = centres(some)
    assert references(x, y) == [grid.reference(*point) for point in zip(x.tolist(), y.tolist(), strict=True)]
    assert [grid.square(*point).centroid.coords[0] for point in zip(x, y, strict=True)] == [
        *zip(x, y, strict=True)
    ]


def test_every_square_has_a_reference_of_its_own():
    assert len(set(references(*centres(EVERY)))) == len(EVERY) == 910_000


def test_the_land_is_what_touches_a_nation():
    land = squares_of("land")
    assert land.sum() == 251_954
    some = np.random.default_rng(1).choice(EVERY, 50_000)
    inside = nations_at(*centres(some)) != "SEA"
    assert inside.any() and not (inside & ~land[some]).any()
    edinburgh, north_sea = (
        int(y // 1000 * 700 + x // 1000) for x, y in ((325_200, 673_500), (650_000, 900_000))
    )
    assert land[edinburgh] and not land[north_sea]
    assert squares_of("SCT")[edinburgh] and not squares_of("ENG")[edinburgh]


@pytest.mark.parametrize("letters", ["NT", "SV", "HP"])
def test_two_letters_are_a_large_square(letters):
    found = references(*centres(np.flatnonzero(squares_of(letters))))
    assert len(found) == 10_000
    assert {reference[:2] for reference in found} == {letters}


@pytest.mark.parametrize("wrong", ["XX", "", "GER", "nt"])
def test_no_such_part(wrong):
    with pytest.raises(WorkshopError, match="ENG, SCT, WLS, NIR, IMN"):
        squares_of(wrong)


def test_nations_are_those_of_the_map():
    points = read_boundary().set_index("code").geom.representative_point()
    assert nations_at(points.x.to_numpy(), points.y.to_numpy()).tolist() == points.index.tolist()


def test_the_order_is_shuffled_the_same_each_time_and_fills_evenly():
    order = Fill(seed=5).order("land")
    assert sorted(order) == np.flatnonzero(squares_of("land")).tolist()
    assert (order == Fill(seed=5).order("land")).all() and (order != Fill(seed=6).order("land")).any()
    south = (order[:5000] < np.median(order)).mean()
    assert 0.47 < south < 0.53


def test_a_square_of_two_parts_is_one_task():
    fill = Fill(fed={"NT": 10_000, "SCT": 100_000})
    squares = np.flatnonzero(fill.squares())
    assert len(squares) < 10_000 + squares_of("SCT").sum()
    assert len({id for id, _, _ in fill.tasks(squares)}) == len(squares)
