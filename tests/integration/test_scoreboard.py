"""The scoreboard over a real PostGIS and RabbitMQ: what each machine did, and what is drawn."""

from types import SimpleNamespace

import pytest

from backstage.classroom import wall
from tests import squares
from tests.integration.machine import Machine
from workshop import settings

EDINBURGH = (325_200, 673_500)


@pytest.fixture
def url(room: Machine) -> str:
    squares.clear(settings.database_url())
    return settings.database_url()


def drawn(url: str) -> int:
    """Return how many squares have a colour on the map."""
    return sum(map(len, wall.squares(url, "machine").values()))


def test_an_empty_table_has_an_empty_scoreboard(url: str) -> None:
    empty = wall.scoreboard(url)
    assert (empty["machines"], empty["done"], empty["rate"]) == ([], 0, 0)
    assert [nation["done"] for nation in empty["nations"]] == [0] * 6


def test_each_machine_has_its_line(url: str) -> None:
    squares.add(url, "machine02", EDINBURGH, (500_000, 500_000), (0, 0), ago=60)
    squares.add(url, "machine10", EDINBURGH, code="SCT")
    squares.log(url, "machine02", "RETRY", ago=5)
    squares.log(url, "machine02", "RETRY", ago=500)
    squares.log(url, "machine02", "FAILURE", ago=90)
    found = wall.scoreboard(url)
    first, second = found["machines"]
    assert 5 <= first.pop("seen") < 30
    assert first == {
        "machine": "machine02",
        "colour": "#E69F00",
        "done": 3,
        "rate": 0,
        "share": 75,
        "retries": 2,
        "failures": 1,
    }
    assert (second["machine"], second["done"], second["rate"]) == ("machine10", 1, 1 / wall.SECONDS)
    assert (found["done"], found["rate"]) == (4, second["rate"])
    assert found["nations"][0] == {"name": "England", "colour": "#D55E00", "done": 3}
    assert [nation["done"] for nation in found["nations"]] == [3, 1, 0, 0, 0, 0]
    assert drawn(url) == 3, "two of the four rows are in one square"


def test_a_machine_that_only_fails_is_on_the_scoreboard(url: str) -> None:
    squares.log(url, "machine03", "FAILURE")
    found = wall.scoreboard(url)
    (line,) = found["machines"]
    assert (line["machine"], line["done"], line["share"], line["failures"]) == ("machine03", 0, 0, 1)


@pytest.mark.parametrize("point", [(float("nan"), 5), (-1, 5), (1e300, 5), (5, float("inf")), (700_000, 5)])
def test_a_row_off_the_grid_counts_but_is_not_drawn(url: str, point: tuple[float, float]) -> None:
    squares.add(url, "machine01", point, (699_999.9, 1_299_999.9))
    assert (wall.scoreboard(url)["done"], drawn(url)) == (2, 1)


@pytest.mark.parametrize("codes", [["SEA", "ENG"], ["ENG", "SEA"]])
def test_land_goes_before_sea_in_one_square(url: str, codes: list[str]) -> None:
    for code in codes:
        squares.add(url, "machine01", EDINBURGH, code=code)
    assert list(wall.squares(url, "nation")) == ["ENG"]


@pytest.mark.parametrize("ago", [(5, 60, 20), (20, 60, 5)])
def test_the_latest_machine_has_a_square(url: str, ago: tuple[int, int, int]) -> None:
    for name, seconds in zip(("machine01", "machine01", "machine02"), ago, strict=True):
        squares.add(url, name, EDINBURGH, ago=seconds)
    found = wall.squares(url, "machine")
    assert {name: its.tolist() for name, its in found.items()} == {
        "machine01" if ago[0] < ago[2] else "machine02": [673 * 700 + 325]
    }


def test_the_wall_says_what_is_away_and_shows_the_rest(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    squares.load(url, 100, until=30)
    site = SimpleNamespace(database_url=url, broker_url=settings.broker_url(), central=None)
    monkeypatch.setattr(wall, "site", lambda: site)
    assert (wall.look()["done"], wall.look()["trouble"]) == (100, "")
    with monkeypatch.context() as outage:
        outage.setattr(site, "broker_url", "amqp://nobody:x@127.0.0.1:9/x")
        away = "RabbitMQ does not answer. This page goes on by itself."
        seen = wall.look()
        assert (seen["trouble"], seen["waiting"], seen["done"]) == (away, None, 100)
        outage.setattr(site, "database_url", "postgresql+psycopg://127.0.0.1:9/none")
        seen = wall.look()
        assert seen["trouble"] == f"{away} PostGIS does not answer. This page goes on by itself."
        assert "done" not in seen, "so that the page keeps its figures"
    assert wall.look()["trouble"] == ""
