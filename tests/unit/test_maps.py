"""Maps from made-up squares, without a database."""

import html
import json
import re
from html.parser import HTMLParser

import geopandas as gpd
import pytest
from shapely import box

from workshop import maps

SCOTLAND_TWICE = [("NT2573", "SCT"), ("NT2573", "SCT"), ("TQ3080", "ENG"), ("HP0000", "SEA")]


def made_up(rows: list[tuple[str, str]]) -> gpd.GeoDataFrame:
    """Return squares as `read_squares` does, one for each (grid_ref, style_cat), side by side."""
    places = {
        reference: 1000 * place for place, reference in enumerate(dict.fromkeys(ref for ref, _ in rows))
    }
    corners = [(places[reference] % 700_000, 1000 * (places[reference] // 700_000)) for reference, _ in rows]
    columns = {
        "task_id": [f"task-{number}" for number in range(len(rows))],
        "grid_ref": [reference for reference, _ in rows],
        "style_cat": [code for _, code in rows],
        "worker": "one@secret-host",
        "processed_at": "2018-09-20",
    }
    squares = [box(x, y, x + 1000, y + 1000) for x, y in corners]
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(squares, crs=27700)).rename_geometry("geom")


def page(rows: list[tuple[str, str]]) -> str:
    return maps.squares_map(made_up(rows)).get_root().render()


def tooltips(page: str) -> list[str]:
    lists = re.findall(r"^\s*(\[\[\".*\]\])\.forEach\(\(\[text", page, re.MULTILINE)
    return [text for found in lists for text, _ in json.loads(found)]


class Sources(HTMLParser):
    """Collects the address of everything that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "data")]


@pytest.mark.parametrize("rows", [[], SCOTLAND_TWICE, [(f"AA{n:04}", "SEA") for n in range(2501)]])
def test_nothing_is_loaded_from_anywhere(rows):
    sources = Sources()
    sources.feed(page(rows))
    assert [source.split(";")[0] for source in sources.found] == ["data:text/javascript", "data:text/css"]


def test_page_names_no_address_on_the_internet():
    without_leaflet = re.sub(r'"data:[^"]+"', "", page(SCOTLAND_TWICE))
    assert [word for word in ("://", "url(", "@import") if word in without_leaflet] == []


def test_each_square_is_drawn_once_and_tells_its_tasks():
    assert sorted(tooltips(page(SCOTLAND_TWICE))) == [
        "HP0000, Sea, 1 task",
        "NT2573, Scotland, 2 tasks",
        "TQ3080, England, 1 task",
    ]


@pytest.mark.parametrize(
    "rows", [[("NX0000", "SEA"), ("NX0000", "SCT")], [("NX0000", "SCT"), ("NX0000", "SEA")]]
)
def test_land_goes_before_sea_in_a_square_on_the_coast(rows):
    assert tooltips(page(rows)) == ["NX0000, Scotland, 2 tasks"]


def test_squares_stand_where_they_belong():
    edinburgh = made_up([("NT2573", "SCT")]).set_geometry([box(325000, 673000, 326000, 674000)], crs=27700)
    text = maps.squares_map(edinburgh).get_root().render()
    found = re.search(r'"NT2573[^"]+", (\[\[.*?\]\])', text)
    assert found is not None
    corners = json.loads(found[1])
    assert len(corners) == 4
    assert all(55.94 < latitude < 55.96 and -3.21 < longitude < -3.18 for latitude, longitude in corners)


def test_squares_have_their_nations_colour():
    for code in ("SCT", "ENG", "SEA"):
        name, colour = maps.NATIONS[code]
        assert re.search(
            rf'"[A-Z0-9]+, {name}, .*\n?.*L\.polygon\(corners, {{"color": "{colour}"', page(SCOTLAND_TWICE)
        )


def test_legend_names_and_counts_all_six():
    rows = re.findall(
        r'background:(#\w+)"></i></td><th scope="row">([^<]+)</th><td>([\d,]+)</td>', page(SCOTLAND_TWICE)
    )
    assert rows == [
        ("#D55E00", "England", "1"),
        ("#0072B2", "Scotland", "2"),
        ("#009E73", "Wales", "0"),
        ("#E69F00", "Northern Ireland", "0"),
        ("#CC79A7", "Isle of Man", "0"),
        ("#56B4E9", "Sea", "1"),
    ]


def test_the_map_says_in_words_what_it_shows():
    nations = "England 1, Scotland 2, Wales 0, Northern Ireland 0, Isle of Man 0, Sea 1"
    assert f"and the Isle of Man with 4 squares: {nations}." in page(SCOTLAND_TWICE)


def test_one_square_is_one_square():
    assert "with 1 square: " in page([("NT2573", "SCT")])


def test_up_to_2500_squares_have_tooltips():
    assert len(tooltips(page([(f"AA{n:04}", "SEA") for n in range(2500)]))) == 2500


def test_more_squares_are_one_shape_for_each_nation():
    many = page([(f"AA{n:04}", "SCT" if n % 2 else "SEA") for n in range(2501)])
    assert "AA0000" not in many
    assert '"#0072B2"' in many
    assert "<td>1,251</td>" in many


def test_a_map_of_2500_squares_is_small():
    shown = maps.squares_map(made_up([(f"AA{n:04}", "SEA") for n in range(2500)]))._repr_html_()
    assert len(shown) < 900_000


def test_two_maps_differ_in_ids_only():
    one, other = (re.sub("[0-9a-f]{32}", "id", page(SCOTLAND_TWICE)) for _ in range(2))
    assert one == other


@pytest.mark.parametrize("hidden", ["secret-host", "2018-09-20", "task-0"])
def test_workers_times_and_task_ids_stay_out(hidden):
    assert hidden not in page(SCOTLAND_TWICE)


def test_text_from_the_database_is_never_markup():
    assert tooltips(page([("<script>", "SEA")])) == ["&lt;script&gt;, Sea, 1 task"]


def test_a_notebook_shows_the_map_in_a_frame_of_its_own():
    shown = maps.squares_map(made_up(SCOTLAND_TWICE))._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert 'height="560px"' in shown
    assert "NT2573, Scotland, 2 tasks" in html.unescape(shown)


def test_a_saved_map_is_one_whole_page(tmp_path):
    maps.squares_map(made_up(SCOTLAND_TWICE)).save(tmp_path / "demo.html")
    saved = (tmp_path / "demo.html").read_text(encoding="utf-8")
    assert "NT2573, Scotland, 2 tasks" in saved
    assert "Leaflet 1.9.3" not in saved  # inside the data address, not loose in the page
    assert "data:text/javascript;base64," in saved


def test_saving_after_showing_changes_nothing(tmp_path):
    shown = maps.squares_map(made_up(SCOTLAND_TWICE))
    before = shown.get_root().render()
    shown._repr_html_()
    shown.save(tmp_path / "demo.html")
    assert (tmp_path / "demo.html").read_text(encoding="utf-8") == before


def test_coast_lies_below_the_squares():
    coast_pane = re.search(r'createPane\(\s*"coast"\);\s*(\w+)\.style\.zIndex = 250', page(SCOTLAND_TWICE))
    assert coast_pane is not None
    assert '"pane": "coast"' in page(SCOTLAND_TWICE)


def test_count_by_nation_counts_rows_and_keeps_zeros():
    counts = maps.count_by_nation(made_up(SCOTLAND_TWICE))
    assert counts["squares"].to_dict() == {
        "England": 1,
        "Scotland": 2,
        "Wales": 0,
        "Northern Ireland": 0,
        "Isle of Man": 0,
        "Sea": 1,
    }
    assert list(counts.index) == [name for name, _ in maps.NATIONS.values()]


def test_no_squares_count_as_zero():
    assert maps.count_by_nation(made_up([]))["squares"].tolist() == [0] * 6


def test_boundary_has_the_five_nations():
    boundary = maps.read_boundary()
    assert list(boundary.columns) == ["code", "name", "geom"]
    assert [*boundary["code"], "SEA"] == list(maps.NATIONS)
    assert [*boundary["name"], "Sea"] == [name for name, _ in maps.NATIONS.values()]
    assert boundary.crs == 27700
