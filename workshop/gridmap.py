"""A folium map of the British National Grid that needs no internet.

Stock folium loads ten files from the internet. This map has no tiles, and the one library that it
needs, Leaflet, comes from the package XStatic-Leaflet and is written into the page, packed: 57 KB. So
each map of a notebook shows by itself, wherever it is opened, in whatever frame. One Leaflet for all maps
of a page would save little (a notebook has one map or two) and fail where frames can't reach one another.

The map's unit is the metre of the grid (EPSG:27700), so nothing is projected: a square of 1 km is a pixel
of a picture, however many there are.
"""

import base64
import gzip
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import folium
from branca.element import Figure
from folium.template import Template

from workshop.land import as_svg

_HERE = Path(__file__)


class GridMap(folium.Map):
    """A map of the whole grid, 560 pixels high in a notebook.

    What is added to it has its place as (northing, easting), in metres.

    Parameters
    ----------
    title : str
        The legend's heading.
    keys : list of (str, str, int)
        The legend's rows: a name, its colour, and its number of squares.
    picture : bytes
        For each square of the grid, from its south-west corner to the east, its place in `keys`, counted
        from 1, or 0; then for each part of the grid the step of the replay in which it was painted.
    side : int
        The side of such a part in km.
    steps : int
        How many steps the replay has; without any there is none.
    seconds : float
        How long the painting took.
    **page
        What the program of the page wants besides: see gridmap.js.
    """

    _template = Template(_HERE.with_suffix(".html").read_text(encoding="utf-8"))
    default_js: list[tuple[str, str]] = []
    default_css: list[tuple[str, str]] = []

    def __init__(
        self,
        title: str,
        keys: list[tuple[str, str, int]],
        picture: bytes,
        steps: int,
        seconds: float,
        **page: Any,
    ) -> None:
        super().__init__(tiles=None)
        self._id = "grid"  # a page has one map: the same squares give the same page
        self.style, self.program = (
            _HERE.with_suffix(kind).read_text(encoding="utf-8") for kind in (".css", ".js")
        )
        self.leaflet, self.land = _leaflet(), _packed(as_svg().encode())
        self.title, self.keys, self.steps, self.seconds = title, keys, steps, seconds
        self.packed, self.page = _packed(picture), {"keys": keys, **page}
        figure = Figure(height="560px", title="Squares on the British National Grid")
        figure._template = Template(_PAGE)
        figure.add_child(self)

    def _repr_html_(self, **options: Any) -> str:
        """Return the map's frame, with a title for people who can't see it."""
        return super()._repr_html_(**options).replace('" width=', f'" title="Map: {self.title}" width=', 1)


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><title>{{ this.title }}</title>{{ this.header.render(**kwargs) }}</head>
<body>{{ this.html.render(**kwargs) }}</body>
<script type="module">{{ this.script.render(**kwargs) }}</script>
</html>
"""


@cache
def _leaflet() -> dict[str, str]:
    data = files("xstatic.pkg.leaflet").joinpath("data")
    return {kind: _packed(data.joinpath(f"leaflet.{kind}").read_bytes()) for kind in ("css", "js")}


def _packed(content: bytes) -> str:
    return base64.b64encode(gzip.compress(content, 6, mtime=0)).decode()
