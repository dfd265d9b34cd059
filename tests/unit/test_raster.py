"""The picture of the whole grid: where a square stands, whose colour it has, and how large it is."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from backstage.classroom import raster
from backstage.classroom.raster import Raster
from workshop import maps

EDINBURGH = 673 * 700 + 325


def add(picture: Raster, machine: str, code: str, *squares: int, at: float = 0) -> None:
    picture.add(machine, code, np.array(squares), np.full(len(squares), at))


def pixels(picture: Raster, by: raster.By) -> Image.Image:
    image = Image.open(BytesIO(picture.png(by)))
    assert (image.mode, image.size) == ("P", (700, 1300))
    return image.convert("RGBA")


def colour_at(picture: Raster, by: raster.By, square: int = EDINBURGH) -> str:
    found = pixels(picture, by).getpixel((square % 700, 1299 - square // 700))
    assert isinstance(found, tuple)
    return "#{:02X}{:02X}{:02X}".format(*found[:3])


def test_a_square_has_its_nations_or_its_machines_colour() -> None:
    picture = Raster()
    add(picture, "machine07", "ENG", EDINBURGH)
    assert colour_at(picture, "nation") == maps.NATIONS["ENG"][1]
    assert colour_at(picture, "machine") == raster.colour("machine07")


def test_an_empty_map_has_clear_sea_and_grey_land() -> None:
    image = pixels(Raster(), "nation")
    sea, land = image.getpixel((690, 10)), image.getpixel((450, 1299 - 300))
    assert isinstance(sea, tuple) and isinstance(land, tuple)
    assert sea[3] == 0
    assert 0 < land[3] < 255


def test_the_four_corners_are_in_the_picture() -> None:
    picture = Raster()
    corners = [0, 699, 1299 * 700, 1299 * 700 + 699]
    for number, square in enumerate(corners, start=1):
        add(picture, f"machine{number:02}", "SEA", square)
    assert [colour_at(picture, "machine", square) for square in corners] == [
        raster.colour(f"machine{number:02}") for number in range(1, 5)
    ]


@pytest.mark.parametrize("codes", [["SEA", "ENG"], ["ENG", "SEA"]])
def test_land_goes_before_sea_in_one_square(codes: list[str]) -> None:
    picture = Raster()
    for code in codes:
        add(picture, "machine01", code, EDINBURGH)
    assert colour_at(picture, "nation") == maps.NATIONS["ENG"][1]


@pytest.mark.parametrize("times", [[1.0, 2.0], [2.0, 1.0]])
def test_the_latest_machine_has_a_square(times: list[float]) -> None:
    picture = Raster()
    for number, at in enumerate(times, start=1):
        add(picture, f"machine{number:02}", "ENG", EDINBURGH, at=at)
    assert colour_at(picture, "machine") == raster.colour(f"machine{times.index(2.0) + 1:02}")


def test_one_machine_twice_in_one_square() -> None:
    picture = Raster()
    picture.add("machine01", "ENG", np.array([EDINBURGH, EDINBURGH]), np.array([5.0, 1.0]))
    add(picture, "machine02", "ENG", EDINBURGH, at=3.0)
    assert colour_at(picture, "machine") == raster.colour("machine01")


def test_squares_that_come_again_change_nothing() -> None:
    picture = Raster()
    add(picture, "machine01", "ENG", EDINBURGH, at=1)
    add(picture, "machine02", "ENG", EDINBURGH, at=2)
    before = picture.png("machine"), picture.png("nation")
    add(picture, "machine01", "ENG", EDINBURGH, at=1)
    assert (picture.png("machine"), picture.png("nation")) == before


def test_few_squares_are_drawn_larger_and_hide_no_other() -> None:
    assert [raster.side_for(number) for number in (0, 2, 3_000, 60_000)] == [7, 7, 5, 1]
    few = Raster()
    add(few, "machine01", "ENG", EDINBURGH)
    add(few, "machine02", "SEA", EDINBURGH + 1)
    assert colour_at(few, "machine", EDINBURGH - 3 * 701) == raster.colour("machine01")
    assert colour_at(few, "machine", EDINBURGH) == raster.colour("machine01")
    assert colour_at(few, "machine", EDINBURGH + 1) == raster.colour("machine02")


def test_forty_machines_have_forty_colours() -> None:
    assert len({raster.colour(f"machine{number:02}") for number in range(1, 41)}) == 40


@pytest.mark.parametrize(
    "name", ["", "geopython", "<b>", "machine٣", "machine00", "machine999999", "machine" + "9" * 99]
)
def test_any_name_has_a_colour(name: str) -> None:
    assert raster.colour(name) in {raster.colour(f"machine{number}") for number in range(1, 43)}


def test_a_full_map_stays_small() -> None:
    full = Raster()
    for number in range(40):
        add(full, f"machine{number + 1:02}", "SEA", *range(number, 910_000, 40))
    assert len(full.png("nation")) < 30_000
