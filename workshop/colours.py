"""What the colours of maps, wall and panel stand for: by Okabe and Ito, for colour-blind eyes too."""

import re
from collections.abc import Sequence
from functools import cache
from zlib import crc32

from branca.colormap import linear

NATIONS = {
    "ENG": ("England", "#D55E00"),
    "SCT": ("Scotland", "#0072B2"),
    "WLS": ("Wales", "#009E73"),
    "NIR": ("Northern Ireland", "#E69F00"),
    "IMN": ("Isle of Man", "#CC79A7"),
    "SEA": ("Elsewhere", "#56B4E9"),
}
"""Name and colour of each code in `style_cat`. Dublin and Calais are elsewhere, as the sea is."""

GREY = "#808080"
"""For what has no colour of its own."""

_HUES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
_LIGHTER = (0, 0.4, -0.35, 0.62, -0.55, 0.2)


def colour(machine: str) -> str:
    """Return a machine's colour, such as ``#0072B2``; from the 43rd on they come again."""
    own = re.fullmatch(r"machine0*(\d{1,6})", machine)
    number = int(own[1]) - 1 if own else crc32(machine.encode())  # another name always has the same one
    return shade(number)


def shade(number: int) -> str:
    """Return the colour of what comes at this place of a list, counted from 0."""
    return _shades()[number % len(_shades())]


def ramp(steps: int) -> Sequence[str]:
    """Return colours from early to late: from blue to yellow, each one lighter, to be seen on dark, too."""
    viridis = linear.viridis  # type: ignore[attr-defined]
    return [viridis(0.2 + 0.72 * step / max(steps - 1, 1))[:7] for step in range(steps)]


@cache
def _shades() -> list[str]:
    return [_mixed(hue, lighter) for lighter in _LIGHTER for hue in _HUES]


def _mixed(colour: str, lighter: float) -> str:
    target = 255 if lighter > 0 else 0
    parts = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return "#" + "".join(f"{round(part + (target - part) * abs(lighter)):02X}" for part in parts)
