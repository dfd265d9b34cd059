"""The scoreboard over a real PostGIS and RabbitMQ: what each machine did, and what is drawn."""

from types import SimpleNamespace
from uuid import UUID

import psycopg
import pytest

from backstage.classroom import wall
from backstage.classroom.board import Board
from backstage.classroom.wall import Wall
from tests import squares
from tests.integration.machine import Machine
from workshop import settings
from workshop.maps import NATIONS, read_squares
from workshop.raster import By, colour

EDINBURGH = (325_200, 673_500)


@pytest.fixture
def url(room: Machine) -> str:
    squares.clear(settings.database_url())
    return settings.database_url()


def read(url: str) -> Board:
    found = Board()
    found.read(url)
    return found


def drawn(found: Board, by: By = "machine") -> dict[str, int]:
    """Return how many squares have each colour on the map."""
    return {colour: len(its) for colour, its in found.frame(by, "")["squares"]}


def test_an_empty_table_has_an_empty_scoreboard(url: str) -> None:
    empty = read(url)
    assert (empty.doers, empty.nations, drawn(empty)) == ({}, {}, {})


def test_each_machine_has_its_line(url: str) -> None:
    squares.add(url, "machine02", EDINBURGH, (500_000, 500_000), (0, 0), ago=60)
    squares.add(url, "machine10", EDINBURGH, code="SCT")
    squares.log(url, "machine02", "RETRY", ago=5)
    squares.log(url, "machine02", "RETRY", ago=500)
    squares.log(url, "machine02", "FAILURE", ago=90)
    found = read(url)
    first, second = found.doers["machine02"], found.doers["machine10"]
    assert (first.done, first.retries, first.failures, second.done) == (3, 2, 1, 1)
    assert 5 <= first.seen < 30
    assert found.nations == {"ENG": 3, "SCT": 1}
    assert sum(drawn(found).values()) == 3, "two of the four rows are in one square"


def test_rows_of_a_longer_statement_reach_the_wall_and_its_rate(url: str) -> None:
    found = read(url)
    found.rates({"machine01": 0})
    with psycopg.connect(url.replace("+psycopg", "")) as guest:  # rows have the time at which it began
        guest.execute("SELECT 1")
        squares.add(url, "machine02", EDINBURGH)
        found.read(url)
        guest.execute(
            "INSERT INTO geopython.grid_squares"
            " (task_id, grid_ref, style_cat, x, y, geom, worker, attempt, machine, processed_at)"
            " SELECT gen_random_uuid(), 'late', 'ENG', 500500, 500500, geom, 'late', 1, 'machine01',"
            " now() - interval '1 hour' FROM geopython.grid_squares"
        )
    before = found.frame("machine", "")["since"]
    found.read(url)
    assert found.frame("machine", before)["squares"] == [(colour("machine01"), [500 * 700 + 500])]
    assert found.rates(found.done)["machine01"] > 0


def test_a_machine_that_only_fails_is_on_the_scoreboard(url: str) -> None:
    squares.log(url, "machine03", "FAILURE")
    line = read(url).doers["machine03"]
    assert (line.done, line.failures) == (0, 1)


@pytest.mark.parametrize("point", [(float("nan"), 5), (-1, 5), (1e300, 5), (5, float("inf")), (700_000, 5)])
def test_a_row_off_the_grid_counts_but_is_not_drawn(url: str, point: tuple[float, float]) -> None:
    squares.add(url, "machine01", point, (699_999.9, 1_299_999.9))
    found = read(url)
    assert (found.doers["machine01"].done, drawn(found)) == (2, {colour("machine01"): 1})


@pytest.mark.parametrize("codes", [["SEA", "ENG"], ["ENG", "SEA"]])
def test_land_goes_before_sea_in_one_square(url: str, codes: list[str]) -> None:
    for code in codes:
        squares.add(url, "machine01", EDINBURGH, code=code)
    assert drawn(read(url), "nation") == {NATIONS["ENG"][1]: 1}
    one_by_one = Board()
    for task in read_squares().sort_values("processed_at").task_id:
        one_by_one.read(url, tasks=[UUID(task)])
    assert drawn(one_by_one, "nation") == {NATIONS["ENG"][1]: 1}
    assert (one_by_one.done, one_by_one.nations) == ({"machine01": 2}, {"ENG": 1, "SEA": 1})


@pytest.mark.parametrize("ago", [(5, 60, 20), (20, 60, 5)])
def test_the_latest_machine_has_a_square(url: str, ago: tuple[int, int, int]) -> None:
    for name, seconds in zip(("machine01", "machine01", "machine02"), ago, strict=True):
        squares.add(url, name, EDINBURGH, ago=seconds)
    assert drawn(read(url)) == {colour("machine01" if ago[0] < ago[2] else "machine02"): 1}


def test_the_wall_says_what_is_away_and_shows_the_rest(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    squares.load(url, 100, until=30)
    site = SimpleNamespace(database_url=url, broker_url=settings.broker_url(), central=None)
    monkeypatch.setattr(wall, "site", lambda: site)
    shown = Wall()

    def look() -> tuple[str, ...]:
        shown.look()
        return shown.words["trouble"], *(value for _, value in shown.words["totals"])

    assert look() == ("", "100", "0.0", "0")
    with monkeypatch.context() as outage:
        outage.setattr(site, "broker_url", "amqp://nobody:x@127.0.0.1:9/x")
        away = "RabbitMQ does not answer. This page goes on by itself."
        assert look() == (away, "100", "0.0", "?")
        outage.setattr(site, "database_url", "postgresql+psycopg://127.0.0.1:9/none")
        assert look()[:2] == (f"{away} PostGIS does not answer. This page goes on by itself.", "100")
    assert look()[0] == ""
