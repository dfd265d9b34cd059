"""Points on the British National Grid (EPSG:27700), with Ordnance Survey's own `osbng`.

A point is an easting `x` and a northing `y` in metres. The 1 km square around it has a reference of
two letters and four digits: the point (325200, 673500), in Edinburgh, lies in ``NT2573``.
"""

import warnings

with warnings.catch_warnings():  # osbng turns on every warning of the program that imports it
    from osbng import xy_to_bng

CRS = 27700
"""The EPSG code of the British National Grid."""

WIDTH = 700_000
"""Eastings go from 0 up to this, in metres."""

HEIGHT = 1_300_000
"""Northings go from 0 up to this, in metres."""

SIDES = (1, 10, 100)
"""How many kilometres the side of a block of squares can have."""


def check_point(x: float, y: float) -> None:
    """Raise an error if `x` or `y` is outside the range of the grid, which stands here.

    Parameters
    ----------
    x, y : float
        Easting and northing in metres (EPSG:27700): 0 <= x < 700000 and 0 <= y < 1300000.

    Raises
    ------
    ValueError
        If x or y is not a number, or lies off the grid. The sentence names the argument, the value
        and the range.
    """
    for name, value, end in (("x", x, WIDTH), ("y", y, HEIGHT)):
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not 0 <= value < end:
            raise ValueError(f"{name} must be a number of metres with 0 <= {name} < {end}, not {value!r:.40}")


def reference(x: float, y: float) -> str:
    """Return the grid reference of the 1 km square that a point lies in.

    Parameters
    ----------
    x, y : float
        Easting and northing in metres (EPSG:27700).

    Returns
    -------
    str
        Two letters and four digits, such as ``NT2573``.

    Raises
    ------
    ValueError
        If the point is not on the grid; see `check_point`.
    """
    check_point(x, y)
    return xy_to_bng(x, y, "1km").bng_ref_compact


def block(x: float, y: float, km: int) -> tuple[int, int, int, int]:
    """Return the edges of the block of 1 km squares that a point lies in.

    Parameters
    ----------
    x, y : float
        Easting and northing in metres (EPSG:27700).
    km : int
        The block's side: 1, 10 or 100 km. So it has 1, 100 or 10,000 squares.

    Returns
    -------
    tuple of int
        West, south, east and north, in metres. West and south belong to it, east and north do not.

    Raises
    ------
    ValueError
        If the point is not on the grid, or there are no such blocks. The sentence names the argument, the
        value and the range.
    """
    check_point(x, y)
    if type(km) is not int or km not in SIDES:
        raise ValueError(f"km must be 1, 10 or 100, not {km!r:.40}")
    side = 1000 * km
    west, south = (int(value // side) * side for value in (x, y))
    return west, south, west + side, south + side
