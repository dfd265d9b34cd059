"""Small charts of what was measured, as SVG: they need no internet and no further package.

Text and axes have the colour of the page's text, so a chart can be read on light and on dark. The colours are
those of Okabe and Ito that stand out on both. Each line has its name and a marker of its own, each row of
bars its name, and each chart a sentence for people who can't see it.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape

from IPython.display import HTML

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
MARKERS = ("M-5,0a5,5 0 1 0 10,0a5,5 0 1 0-10,0z", "M-4,-4h8v8h-8z", "M0,-6l6,6l-6,6l-6,-6z")
"""Around (0, 0): a circle, a square, a diamond."""

LEFT, RIGHT, BASE = 50, 560, 270
"""Where the axes of `lines` are, in pixels."""


def lines(
    title: str, across: str, up: str, series: Mapping[str, Mapping[float, float]], ideal: str = ""
) -> HTML:
    """Draw a line with markers for each series; both axes begin at 0.

    Parameters
    ----------
    title, across, up : str
        The heading, and what the axes show.
    series : mapping
        By name, the heights by their places.
    ideal : str
        What a dashed line is that is as high as it is far; without it there is none.
    """
    right = max(x for points in series.values() for x in points)
    top = max(right if ideal else 0, *(y for points in series.values() for y in points.values()))

    def at(x: float, y: float) -> str:
        return f"{LEFT + (RIGHT - LEFT) * x / right:.1f},{BASE - 190 * y / top:.1f}"

    drawn = [_line(f"M{at(0, top)}L{at(0, 0)}L{at(right, 0)}"), _text("10,60", up)]
    drawn += [_text(at(0, y), str(y), -10, 5, "end") for y in _ticks(top)]
    drawn += [_text(at(x, 0), str(x), 0, 20, "middle") for x in _ticks(right)]
    drawn += [_text(at(right, 0), across, 0, 42, "end")]
    if ideal:
        drawn += [
            _line(f"M{at(0, 0)}L{at(right, right)}", dashes=6),
            _text(at(right / 2, right / 2), ideal, -12, 0, "end"),
        ]
    for number, (name, points) in enumerate(series.items()):
        colour, places = COLOURS[number], [at(x, y) for x, y in points.items()]
        drawn += [_line("M" + "L".join(places), colour, 2), _text(places[-1], name, 12, 22 * number - 4)]
        drawn += [_shape(MARKERS[number], colour, each) for each in places[:: math.ceil(len(places) / 12)]]
    ends = (f"{name} from {min(p.values()):.3g} to {max(p.values()):.3g}" for name, p in series.items())
    return _chart(title, f"{up}: {', '.join(ends)}", drawn, BASE + 55)


def bars(title: str, rows: Mapping[str, Sequence[tuple[float, float]]]) -> HTML:
    """Draw a row of bars for each name; all rows begin at 0.

    Parameters
    ----------
    title : str
        The heading.
    rows : mapping
        By name, where each bar begins, and how long it is. The name says what the numbers are.
    """
    scale = 410 / max(start + length for row in rows.values() for start, length in row)
    drawn = []
    for number, (name, row) in enumerate(rows.items()):
        y = 60 + 34 * number
        drawn.append(_text(f"280,{y}", name, -10, 5, "end"))
        for start, length in row:
            bar = f"M0,-11h{scale * length:.1f}v22h{-scale * length:.1f}z"
            drawn.append(_shape(bar, COLOURS[number % 4], f"{280 + scale * start:.1f},{y}"))
    return _chart(title, ", ".join(rows), drawn, 50 + 34 * len(rows))


def _chart(title: str, words: str, drawn: Sequence[str], height: int) -> HTML:
    look = 'class="chart" fill="currentColor" style="max-width: 700px; font: 14px system-ui, sans-serif"'
    svg = f'<svg viewBox="0 0 700 {height}" role="img" aria-label="{escape(f"{title}. {words}.")}" {look}>'
    return HTML(
        "\n".join([svg, f"<text x='10' y='24' font-weight='bold'>{escape(title)}</text>", *drawn, "</svg>"])
    )


def _text(place: str, text: str, dx: float = 0, dy: float = 0, anchor: str = "start") -> str:
    x, y = place.split(",")
    return f'<text x="{x}" y="{y}" dx="{dx}" dy="{dy}" text-anchor="{anchor}">{escape(text)}</text>'


def _line(path: str, colour: str = "currentColor", width: int = 1, dashes: int = 0) -> str:
    return (
        f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dashes}"/>'
    )


def _shape(path: str, colour: str, place: str) -> str:
    return f'<path d="{path}" fill="{colour}" transform="translate({place})"/>'


def _ticks(top: float) -> range:
    """Return about five whole numbers from 0 up to `top`."""
    return range(0, int(top) + 1, max(1, int(top) // 4))
