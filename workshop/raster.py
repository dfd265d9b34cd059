"""The whole grid as one picture, a pixel for each square of 1 km: as small with 910,000 squares as with one.

`workshop.maps` draws squares that one can move about in. This is a plain picture, for the wall.
"""

from functools import cache
from io import BytesIO
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from workshop.colours import GREY, NATIONS, colour
from workshop.grid import HEIGHT, WIDTH
from workshop.land import read_land

COLUMNS, ROWS = WIDTH // 1000, HEIGHT // 1000
"""Squares from west to east, and from south to north."""

By = Literal["machine", "nation"]
"""What the colours stand for."""

_SEA, _LAND, _COAST = 0, 1, 2
_OPACITY = (0, 70, 190)
"""Of sea, land and coast, as the page behind may be light or dark."""

_SIDES = {1_000: 7, 5_000: 5, 50_000: 3}
"""Up to so many squares, the side of each in pixels."""


def png(done: dict[str, NDArray[np.int32]], by: By) -> bytes:
    """Return the picture, 700 pixels wide and 1,300 high, north up, with the empty sea transparent.

    Parameters
    ----------
    done : dict
        The squares of each machine, by its name, or of each nation, by its code. A square is a number:
        ``COLUMNS`` times the whole kilometres north, plus those east (EPSG:27700).
    by : {'machine', 'nation'}
        What the colours stand for.
    """
    colours = {name: NATIONS[name][1] if by == "nation" else colour(name) for name in done}
    used = sorted(set(colours.values()))
    palette, faint = [GREY] * len(_OPACITY) + used, colours.get("SEA") if by == "nation" else None
    numbers = np.zeros(COLUMNS * ROWS, np.uint8)
    for name, its in done.items():
        numbers[its] = palette.index(colours[name])
    squares = numbers.reshape(ROWS, COLUMNS)[::-1]
    side = next((side for limit, side in _SIDES.items() if np.count_nonzero(squares) <= limit), 1)
    larger = np.asarray(Image.fromarray(squares).filter(ImageFilter.MaxFilter(side)))
    picture = Image.fromarray(np.select([squares > 0, larger > 0], [squares, larger], _background()))
    picture.putpalette(bytes.fromhex("".join(palette).replace("#", "")))
    transparency = bytes([*_OPACITY, *(140 if each == faint else 255 for each in used)])
    file = BytesIO()
    picture.save(file, "PNG", transparency=transparency, compress_level=4)
    return file.getvalue()


@cache
def _background() -> NDArray[np.uint8]:
    """Return land, sea and coast, north up."""
    picture = Image.new("L", (COLUMNS, ROWS), _SEA)
    draw = ImageDraw.Draw(picture)
    for land in read_land().geometry.explode():
        for ring, fill in [(land.exterior, _LAND), *((lake, _SEA) for lake in land.interiors)]:
            points = [(x / 1000, ROWS - y / 1000) for x, y in ring.coords]
            draw.polygon(points, fill, _COAST)
    return np.asarray(picture)
