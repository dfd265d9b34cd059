"""The picture of the whole grid: where a square stands, whose colour it has, and how large it is."""

from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from workshop import maps, raster

EDINBURGH = 673 * 700 + 325


def done(**squares: int) -> dict[str, NDArray[np.int32]]:
    """Return squares, each under the name of who did it or where it is."""
    return {name: np.array([square], np.int32) for name, square in squares.items()}


def pixels(squares: dict[str, NDArray[np.int32]], by: raster.By) -> Image.Image:
    image = Image.open(BytesIO(raster.png(squares, by)))
    assert (image.mode, image.size) == ("P", (700, 1300))
    return image.convert("RGBA")


def colour_at(image: Image.Image, square: int = EDINBURGH) -> str:
    found = image.getpixel((square % 700, 1299 - square // 700))
    assert isinstance(found, tuple)
    return "#{:02X}{:02X}{:02X}".format(*found[:3])


def test_a_square_has_its_nations_or_its_machines_colour() -> None:
    assert colour_at(pixels(done(SCT=EDINBURGH), "nation")) == maps.NATIONS["SCT"][1]
    assert colour_at(pixels(done(machine07=EDINBURGH), "machine")) == raster.colour("machine07")


def test_an_empty_map_has_clear_sea_and_grey_land() -> None:
    image = pixels({}, "nation")
    sea, land = image.getpixel((690, 10)), image.getpixel((450, 1299 - 300))
    assert isinstance(sea, tuple) and isinstance(land, tuple)
    assert sea[3] == 0
    assert 0 < land[3] < 255


def test_the_four_corners_are_in_the_picture() -> None:
    corners = {"machine01": 0, "machine02": 699, "machine03": 1299 * 700, "machine04": 1299 * 700 + 699}
    image = pixels(done(**corners), "machine")
    for name, square in corners.items():
        assert colour_at(image, square) == raster.colour(name)


def test_few_squares_are_drawn_larger_and_hide_no_other() -> None:
    image = pixels(done(machine01=EDINBURGH, machine02=EDINBURGH + 1), "machine")
    assert colour_at(image, EDINBURGH - 3 * 701) == raster.colour("machine01")
    assert colour_at(image, EDINBURGH) == raster.colour("machine01")
    assert colour_at(image, EDINBURGH + 1) == raster.colour("machine02")


def test_many_squares_have_their_own_size() -> None:
    south = {"ENG": np.arange(100 * 700, dtype=np.int32)}
    assert colour_at(pixels(south, "nation"), 99 * 700) == maps.NATIONS["ENG"][1]
    assert colour_at(pixels(south, "nation"), 100 * 700) != maps.NATIONS["ENG"][1]


def test_forty_machines_have_forty_colours() -> None:
    assert len({raster.colour(f"machine{number:02}") for number in range(1, 41)}) == 40


@pytest.mark.parametrize(
    "name", ["", "geopython", "<b>", "machine٣", "machine00", "machine999999", "machine" + "9" * 99]
)
def test_any_name_has_a_colour(name: str) -> None:
    assert raster.colour(name) in {raster.colour(f"machine{number}") for number in range(1, 43)}


def test_a_full_map_stays_small() -> None:
    full = {f"machine{number + 1:02}": np.arange(number, 910_000, 40, np.int32) for number in range(40)}
    assert len(raster.png({"SEA": np.arange(910_000, dtype=np.int32)}, "nation")) < 30_000
    assert len(raster.png(full, "machine")) < 1_000_000
