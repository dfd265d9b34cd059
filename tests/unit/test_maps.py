"""Maps from made-up squares, without a database."""

import base64
import gzip
import html
import json
import re
from html.parser import HTMLParser

import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from shapely import box

from workshop import colours, land, maps
from workshop.errors import WorkshopError

Row = tuple[int, int, str]
"""Kilometres to the east and north, and a nation."""

EDINBURGH, LONDON, SHETLAND = (325, 673), (530, 180), (400, 1200)
SCOTLAND_TWICE: list[Row] = [(*EDINBURGH, "SCT"), (*EDINBURGH, "SCT"), (*LONDON, "ENG"), (*SHETLAND, "SEA")]


def made_up(rows: list[Row], **columns: list[object]) -> gpd.GeoDataFrame:
    """Return squares as `read_squares` does, one for each row, done one second after the other."""
    table = {
        "task_id": [f"task-{number}" for number in range(len(rows))],
        "grid_ref": [f"{x}-{y}" for x, y, _ in rows],
        "style_cat": [code for *_, code in rows],
        "x": [1000.0 * x + 500 for x, _, _ in rows],
        "y": [1000.0 * y + 500 for _, y, _ in rows],
        "worker": "one@secret-host",
        "machine": "machine07",
        "attempt": 1,
        "processed_at": [
            pd.Timestamp(2018, 9, 20, tz="UTC") + pd.Timedelta(n, "s") for n in range(len(rows))
        ],
    } | columns
    if not rows:
        table["processed_at"] = pd.to_datetime([], utc=True)
    squares = [box(1000 * x, 1000 * y, 1000 * x + 1000, 1000 * y + 1000) for x, y, _ in rows]
    return gpd.GeoDataFrame(table, geometry=gpd.GeoSeries(squares, crs=27700)).rename_geometry("geom")


def many(number: int) -> gpd.GeoDataFrame:
    return made_up([(n % 700, n // 700, "SCT" if n % 2 else "SEA") for n in range(number)])


def page(squares: gpd.GeoDataFrame, by: maps.By = "nation") -> str:
    return maps.squares_map(squares, by).get_root().render()


def picture(page: str) -> NDArray[np.uint8]:
    """Return what a page draws: by kilometres north and east the number of a legend's row, or 0."""
    packed = re.search(r'packed: "([^"]+)"', page)
    assert packed
    drawn = np.frombuffer(gzip.decompress(base64.b64decode(packed[1])), np.uint8)
    return drawn[:910_000].reshape(1300, 700)


def legend(page: str) -> list[tuple[str, ...]]:
    row = r'background: (#\w+)"></i></td><th scope="row">([^<]+)</th>\s*<td>([\d,]+)</td>'
    return [tuple(html.unescape(text) for text in found) for found in re.findall(row, page)]


def values(page: str) -> dict:
    found = re.search(r"const page = (.*);", page)
    assert found
    return json.loads(found[1])


class Sources(HTMLParser):
    """Collects the address of everything that a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "srcset", "href", "data")]


@pytest.mark.parametrize("squares", [made_up([]), made_up(SCOTLAND_TWICE), many(2501)])
def test_nothing_is_loaded_from_anywhere(squares):
    sources = Sources()
    sources.feed(page(squares))
    assert sources.found == []
    assert [word for word in ("://", "url(", "@import") if word in page(squares)] == []


def test_each_square_is_drawn_where_it_is_in_its_nations_colour():
    drawn = picture(page(made_up(SCOTLAND_TWICE)))
    rows = legend(page(made_up(SCOTLAND_TWICE)))
    assert np.count_nonzero(drawn) == 3
    for (x, y), name in ((EDINBURGH, "Scotland"), (LONDON, "England"), (SHETLAND, "Elsewhere")):
        assert rows[drawn[y, x] - 1][1] == name


@pytest.mark.parametrize("rows", [[(5, 5, "SEA"), (5, 5, "SCT")], [(5, 5, "SCT"), (5, 5, "SEA")]])
def test_land_goes_before_sea_in_a_square_on_the_coast(rows):
    shown = page(made_up(rows))
    assert ("#0072B2", "Scotland", "1") in legend(shown)
    counts = maps.count_by_nation(made_up(rows))
    assert counts.loc["Scotland"].tolist() == [1, 1]
    assert counts.loc["Elsewhere"].tolist() == [0, 1]


def test_legend_counts_squares_and_says_how_many_tasks_there_were():
    shown = page(made_up(SCOTLAND_TWICE))
    assert legend(shown) == [
        ("#D55E00", "England", "1"),
        ("#0072B2", "Scotland", "1"),
        ("#009E73", "Wales", "0"),
        ("#E69F00", "Northern Ireland", "0"),
        ("#CC79A7", "Isle of Man", "0"),
        ("#56B4E98C", "Elsewhere", "1"),
    ]
    assert "<caption>3 squares, 4 tasks</caption>" in shown


def test_a_block_is_one_task_of_many_squares():
    block = made_up(SCOTLAND_TWICE[1:], task_id=["one"] * 3)
    assert "<caption>3 squares, 1 task</caption>" in page(block)
    assert maps.count_by_nation(block)["tasks"].to_dict()["Scotland"] == 1


def test_the_map_says_in_words_what_it_shows():
    nations = "England 1, Scotland 1, Wales 0, Northern Ireland 0, Isle of Man 0, Elsewhere 1"
    words = f"the Isle of Man with 3 squares, 4 tasks: {nations}."
    assert values(page(made_up(SCOTLAND_TWICE)))["words"].endswith(words)


def test_tooltips_know_the_tasks_of_up_to_2500_squares():
    assert values(page(made_up(SCOTLAND_TWICE)))["tasks"] == {str(673 * 700 + 325): 2}
    assert values(page(many(2500)))["tasks"] == {}
    assert values(page(many(2501)))["tasks"] is None


def test_the_latest_task_says_whose_a_square_is():
    squares = made_up([(5, 5, "SEA")] * 3, machine=["machine02", "machine10", "machine02"])
    assert legend(page(squares, "machine")) == [
        (colours.colour("machine02"), "machine02", "1"),
        (colours.colour("machine10"), "machine10", "0"),
    ]


@pytest.mark.parametrize(
    ("by", "names"),
    [("worker", ["a@x", "b@x"]), ("attempt", ["attempt 1", "attempt 10"])],
)
def test_colours_by_worker_and_by_attempt(by, names):
    squares = made_up([(1, 1, "SEA"), (2, 1, "SEA")], worker=["b@x", "a@x"], attempt=[10, 1])
    assert [name for _, name, _ in legend(page(squares, by))] == names
    assert len({colour for colour, *_ in legend(page(squares, by))}) == 2


def test_colours_by_time_go_from_the_first_to_the_last():
    squares = made_up([(n, 0, "SEA") for n in range(9)])
    drawn = picture(page(squares, "time"))
    assert drawn[0, :9].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert [name for _, name, _ in legend(page(squares, "time"))][::7] == ["up to 1.0 s", "up to 8.0 s"]


def test_many_workers_are_few_colours_and_others():
    squares = made_up([(n, 0, "SEA") for n in range(300)], worker=[f"w{n}" for n in range(300)])
    rows = legend(page(squares, "worker"))
    assert len(rows) == 41
    assert rows[-1] == (colours.GREY, "others", "260")


def test_another_colour_is_refused_in_words():
    with pytest.raises(WorkshopError, match="by is 'colour'. It must be one of: .*nation"):
        maps.squares_map(made_up([]), "colour")  # type: ignore[arg-type]


def test_the_replay_tells_when_each_square_came():
    rows = [(5, 5, "SEA"), (6, 5, "SEA"), (5, 5, "SEA")]
    shown = page(made_up(rows))
    packed = re.search(r'packed: "([^"]+)"', shown)
    assert packed
    steps = gzip.decompress(base64.b64decode(packed[1]))[910_000:]
    assert [steps[5 * 700 + x] for x in (5, 6)] == [1, 25]  # the first time counts, of 50 steps
    assert "seconds: 2.0" in shown
    assert 'max="0"' in page(made_up(rows[:1])), "one moment needs no replay"


def test_half_of_many_squares_are_there_half_way():
    shown = page(many(60_000))
    packed = re.search(r'packed: "([^"]+)"', shown)
    assert packed
    steps = np.frombuffer(gzip.decompress(base64.b64decode(packed[1])), np.uint8)[910_000:]
    assert len(steps) == 910_000 / 16
    assert 0.45 < np.count_nonzero((steps > 0) & (steps <= 25)) / np.count_nonzero(steps) < 0.55


def test_any_number_of_squares_makes_a_small_page():
    assert len(page(many(2500))) < 200_000
    chance = np.random.default_rng(1)
    full = pd.DataFrame(
        {
            "x": np.tile(np.arange(700), 1300) * 1000.0,
            "y": np.repeat(np.arange(1300), 700) * 1000.0,
            "task_id": np.arange(910_000),
            "machine": pd.Categorical.from_codes(
                chance.integers(0, 40, 910_000), [f"machine{n:02}" for n in range(1, 41)]
            ),
            "processed_at": pd.Timestamp(2018, 9, 20, tz="UTC")
            + pd.to_timedelta(chance.random(910_000) * 600, unit="s"),
        }
    )
    assert len(page(full, "machine")) < 1_000_000


def test_points_off_the_grid_are_left_out():
    assert "<caption>1 square, 1 task</caption>" in page(
        made_up([(-1, 5, "SEA"), (5, 1300, "SEA"), (5, 5, "SEA")])
    )


def test_two_maps_are_the_same():
    assert page(made_up(SCOTLAND_TWICE)) == page(made_up(SCOTLAND_TWICE))


@pytest.mark.parametrize("hidden", ["secret-host", "machine07", "2018", "task-0"])
def test_workers_dates_and_task_ids_stay_out(hidden):
    assert hidden not in page(made_up(SCOTLAND_TWICE))


def test_text_from_the_database_is_never_markup():
    shown = page(made_up([(5, 5, "SEA")], worker=["</script><img src=x>"]), "worker")
    assert "<img" not in shown and shown.count("</script>") == 1
    assert legend(shown)[0][1] == "</script><img src=x>"


def test_a_notebook_shows_the_map_in_a_frame_of_its_own():
    shown = maps.squares_map(made_up(SCOTLAND_TWICE))._repr_html_()
    assert shown.startswith('<iframe srcdoc="')
    assert 'height="560px"' in shown
    assert html.unescape(shown).count("3 squares, 4 tasks") == 3


def test_saving_after_showing_changes_nothing(tmp_path):
    shown = maps.squares_map(made_up(SCOTLAND_TWICE))
    before = shown.get_root().render()
    shown._repr_html_()
    shown.save(tmp_path / "demo.html")
    assert (tmp_path / "demo.html").read_text(encoding="utf-8") == before


def test_no_squares_count_as_zero():
    assert maps.count_by_nation(made_up([])).to_numpy().tolist() == [[0, 0]] * 6


def test_boundary_has_the_five_nations():
    boundary = maps.read_boundary()
    assert list(boundary.columns) == ["code", "name", "geom"]
    assert [*boundary["code"], "SEA"] == list(maps.NATIONS)
    assert [*boundary["name"], "Elsewhere"] == [name for name, _ in maps.NATIONS.values()]
    assert boundary.crs == 27700


def test_the_coast_has_ireland_and_france():
    around = land.read_land().query("around")
    assert around["name"].tolist() == ["Ireland", "France", "Faroe Islands"]
    assert land.as_svg().count("<path") == 2
