"""Charts show what was measured: to eyes on light and dark pages, and in words."""

import re
from xml.etree import ElementTree

import pytest
from IPython.display import HTML

from workshop import charts

SPEEDS = {"waiting": {1: 1.0, 2: 1.9, 4: 3.8}, "computing": {1: 1.0, 2: 1.5, 4: 1.25}}


def drawn(chart: HTML) -> ElementTree.Element:
    """Return a chart as it is taken apart by a program: so it is well-formed."""
    return ElementTree.fromstring(chart._repr_html_())


def words(chart: HTML) -> list[str]:
    return [text.text or "" for text in drawn(chart).iter("text")]


def places(chart: HTML, colour: str) -> list[tuple[float, float]]:
    """Return where the marks of a colour are, in pixels from the upper left."""
    marks = [mark for mark in drawn(chart).iter("path") if mark.get("fill") == colour]
    found = [re.fullmatch(r"translate\((.+),(.+)\)", mark.attrib["transform"]) for mark in marks]
    return [(float(each[1]), float(each[2])) for each in found if each]


def test_lines_begin_at_zero_and_go_up_with_their_values() -> None:
    chart = charts.lines("More", "processes", "times as fast", SPEEDS)
    (one, _), (two, _), (four, top) = places(chart, charts.COLOURS[0])
    assert two - charts.LEFT == pytest.approx(2 * (one - charts.LEFT), abs=0.2)
    assert four == charts.RIGHT and top < charts.BASE
    heights = [charts.BASE - y for _, y in places(chart, charts.COLOURS[1])]
    assert heights[1] == pytest.approx(1.5 * heights[0], abs=0.2)
    assert {"More", "times as fast", "processes", "waiting", "computing", "0", "4"} <= {*words(chart)}


def test_the_ideal_line_is_as_high_as_it_is_far() -> None:
    chart = charts.lines("More", "processes", "times as fast", SPEEDS, ideal="ideal")
    dashed = [line.attrib["d"] for line in drawn(chart).iter("path") if line.get("stroke-dasharray") == "6"]
    assert dashed == [f"M{charts.LEFT}.0,{charts.BASE}.0L{charts.RIGHT}.0,{charts.BASE - 190}.0"]
    assert "ideal" in words(chart)


def test_a_long_line_has_some_markers_only() -> None:
    chart = charts.lines("Waiting", "tasks", "seconds", {"one": {n: n / 10 for n in range(1, 61)}})
    assert len(places(chart, charts.COLOURS[0])) == 12


def test_bars_are_as_long_as_what_they_stand_for() -> None:
    chart = charts.bars("One task", {"send: 100": [(0, 100)], "work: 300": [(100, 300)]})
    widths = re.findall(r'd="M0,-11h([\d.]+)v', chart._repr_html_())
    assert float(widths[1]) == pytest.approx(3 * float(widths[0]), abs=0.2)
    (send, _), (work, _) = places(chart, charts.COLOURS[0]) + places(chart, charts.COLOURS[1])
    assert work - send == pytest.approx(float(widths[0]), abs=0.2)
    assert words(chart) == ["One task", "send: 100", "work: 300"]


@pytest.mark.parametrize(
    ("chart", "said"),
    [
        (
            charts.lines("More", "processes", "times as fast", SPEEDS),
            "More. times as fast: waiting from 1 to 3.8, computing from 1 to 1.5.",
        ),
        (charts.bars("Who <did> it", {"a & b: 2": [(0, 2)]}), "Who <did> it. a & b: 2."),
    ],
)
def test_a_chart_is_a_picture_with_a_sentence(chart: HTML, said: str) -> None:
    assert (drawn(chart).get("role"), drawn(chart).get("aria-label")) == ("img", said)


def test_a_chart_can_be_read_on_light_and_on_dark() -> None:
    """Text and axes have the page's colour, and the marks at least 3 to 1 against white and against black."""

    def brightness(colour: str) -> float:
        parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert drawn(charts.bars("Some", {"one": [(0, 1)]})).get("fill") == "currentColor"
    dark = brightness("#111111")
    for colour in charts.COLOURS:
        assert 1.05 / (brightness(colour) + 0.05) >= 3, colour
        assert (brightness(colour) + 0.05) / (dark + 0.05) >= 3, colour
