"""A folium map of the British National Grid that needs no internet.

Stock folium loads ten files from the internet. This map has no tiles, and the one library that it
needs, Leaflet, comes from the package XStatic-Leaflet and is written into the page.
"""

import base64
from collections.abc import Iterable
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import folium
import geopandas as gpd
import shapely
from branca.element import Element, Figure, MacroElement
from folium.map import CustomPane
from folium.template import Template

from workshop.grid import CRS, HEIGHT, WIDTH


class GridMap(folium.Map):
    """A map of the whole grid, 560 pixels high in a notebook.

    Parameters
    ----------
    words : str
        What the map shows, for people who can't see it.
    names : dict
        Names to write on the map, each with its place: easting and northing in metres (EPSG:27700).
    legend : str
        HTML to put in the upper right corner.
    """

    def __init__(self, words: str, names: dict[str, tuple[int, int]], legend: str) -> None:
        super().__init__(tiles=None, control_scale=True, zoom_snap=0.25, attribution_control=False)
        self.default_js = [("leaflet", _data_uri("leaflet.js", "text/javascript"))]
        self.default_css = [("leaflet_css", _data_uri("leaflet.css", "text/css"))]
        figure = Figure(height="560px", title="Squares on the British National Grid")
        style = Path(__file__).with_suffix(".css").read_text(encoding="utf-8")
        figure.header.add_child(Element(f"<style>\n{style}</style>"))
        figure.html.add_child(Element(f'<section class="legend" aria-label="Legend">{legend}</section>'))
        figure.add_child(self)
        self.add_child(CustomPane("coast", z_index=250))
        places = _degrees(gpd.GeoSeries([shapely.Point(*place) for place in names.values()], crs=CRS))
        labels = [(name, [place.y, place.x]) for name, place in zip(names, places, strict=True)]
        frame = shapely.segmentize(shapely.box(0, 0, WIDTH, HEIGHT), 100_000)
        west, south, east, north = _degrees(gpd.GeoSeries([frame], crs=CRS)).total_bounds.tolist()
        bounds = [[south, west], [north, east]]
        self.add_child(_Script(_NAMES_AND_VIEW, words=words, labels=labels, bounds=bounds))

    def add_coast(self, coast: gpd.GeoSeries) -> None:
        """Draw land below everything else.

        Parameters
        ----------
        coast : GeoSeries
            Polygons in any CRS.
        """
        self._add_shape(coast, weight=0.75, pane="coast", className="coast")

    def add_squares(self, squares: Iterable[shapely.Polygon], tooltips: Iterable[str], **style: Any) -> None:
        """Draw squares, each with a tooltip.

        Parameters
        ----------
        squares : iterable of Polygon
            Squares in metres (EPSG:27700).
        tooltips : iterable of str
            Plain text for each square.
        **style
            Leaflet's path options, such as ``color``.
        """
        shapes = _degrees(gpd.GeoSeries(list(squares), crs=CRS))
        corners = [[[y, x] for x, y in shape.exterior.coords[:-1]] for shape in shapes]
        texts = [escape(text) for text in tooltips]
        drawn = list(zip(texts, corners, strict=True))
        self.add_child(_Script(_SQUARES, squares=drawn, style=style | {"smoothFactor": 0}))

    def add_merged(self, squares: Iterable[shapely.Polygon], **style: Any) -> None:
        """Draw squares as one shape, without tooltips.

        Parameters
        ----------
        squares : iterable of Polygon
            Different squares of the grid, in metres (EPSG:27700).
        **style
            Leaflet's path options, such as ``color``.
        """
        merged = shapely.coverage_union_all(list(squares))
        self._add_shape(gpd.GeoSeries([merged], crs=CRS), **style)

    def _add_shape(self, shapes: gpd.GeoSeries, **options: Any) -> None:
        whole = shapely.GeometryCollection(list(_degrees(shapes)))
        options |= {"interactive": False, "smoothFactor": 0}
        self.add_child(_Script(_SHAPE, shape=whole.__geo_interface__, options=options))


class _Script(MacroElement):
    """A script of the map's page, and the values that are written into it."""

    def __init__(self, script: str, **values: Any) -> None:
        super().__init__()
        self._template_str = "{% macro script(this, kwargs) %}" + script + "{% endmacro %}"
        self._template = Template(self._template_str)
        vars(self).update(values)


# Names the nations, describes the map, and fits the grid to the window at each change of its size. The names
# are plain Leaflet: folium's own Marker asks for an icon file before it takes another icon.
_NAMES_AND_VIEW = """
        {
            const map = {{ this._parent.get_name() }};
            const picture = map.getPane("mapPane");
            picture.setAttribute("role", "img");
            picture.setAttribute("aria-label", {{ this.words|tojson }});
            document.documentElement.lang = "en";
            {{ this.labels|tojson }}.forEach(([name, place]) => L.marker(place, {
                interactive: false, keyboard: false,
                icon: L.divIcon({className: "label", iconSize: [0, 0], html: `<b>${name}</b>`}),
            }).addTo(map));
            new ResizeObserver(() => {
                const legend = document.querySelector(".legend").offsetWidth + 12;
                map.invalidateSize({animate: false});
                map.fitBounds({{ this.bounds|tojson }}, {animate: false, paddingBottomRight: [legend, 0]});
            }).observe(map.getContainer());
        }
        """

# Squares with tooltips, in a fraction of the bytes of folium's GeoJson. Chrome would stop at each square when
# someone presses Tab, hence the tabIndex.
_SQUARES = """
        {{ this.squares|tojson }}.forEach(([text, corners]) => {
            const square = L.polygon(corners, {{ this.style|tojson }}).bindTooltip(text, {sticky: true});
            square.addTo({{ this._parent.get_name() }}).getElement().tabIndex = -1;
        });
        """

# A geometry without tooltip.
_SHAPE = """
        L.geoJSON({{ this.shape|tojson }}, {{ this.options|tojson }}).addTo({{ this._parent.get_name() }});
        """


def _degrees(shapes: gpd.GeoSeries) -> gpd.GeoSeries:
    """Return shapes in degrees (EPSG:4326), rounded to 5 decimals, which is about 1 m."""
    return shapes.to_crs(4326).set_precision(1e-5, mode="pointwise")


def _data_uri(name: str, mime: str) -> str:
    content = files("xstatic.pkg.leaflet").joinpath("data", name).read_bytes()
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"
