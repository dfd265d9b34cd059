"""The scoreboard over a real PostGIS and RabbitMQ: what is counted once, and what is counted anew."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from backstage.classroom import scoreboard as scoreboards
from backstage.classroom import wall
from backstage.classroom.scoreboard import Scoreboard
from backstage.classroom.wall import Wall
from tests import squares
from tests.conftest import wait_for
from tests.integration.machine import Machine
from workshop import settings

EDINBURGH = (325_200, 673_500)


@pytest.fixture
def url(room: Machine) -> str:
    squares.clear(settings.database_url())
    return settings.database_url()


@pytest.fixture
def scoreboard(url: str) -> Scoreboard:
    return Scoreboard(url)


def lines(scoreboard: Scoreboard) -> dict[str, Any]:
    """Return the line of each machine, by its name."""
    return {line["machine"]: line for line in scoreboard.look()["machines"]}


def test_an_empty_table_has_an_empty_scoreboard(scoreboard: Scoreboard) -> None:
    empty = scoreboard.look()
    assert (empty["machines"], empty["done"], empty["rate"], len(scoreboard.raster)) == ([], 0, 0, 0)


def test_each_machine_has_its_line(scoreboard: Scoreboard, url: str) -> None:
    squares.add(url, "machine02", EDINBURGH, (500_000, 500_000), (0, 0), ago=60)
    squares.add(url, "machine10", EDINBURGH, code="SCT")
    squares.log(url, "machine02", "RETRY", ago=5)
    squares.log(url, "machine02", "RETRY", ago=500)
    squares.log(url, "machine02", "FAILURE", ago=90)
    found = scoreboard.look()
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
    assert (second["machine"], second["done"], second["rate"]) == ("machine10", 1, 1 / scoreboards.SECONDS)
    assert (found["done"], found["rate"], found["side"]) == (4, second["rate"], 7)
    assert found["nations"][0] == {"name": "England", "colour": "#D55E00", "done": 3}
    assert [nation["done"] for nation in found["nations"]] == [3, 1, 0, 0, 0, 0]
    assert len(scoreboard.raster) == 3, "two of the four rows are in one square"


def test_a_machine_that_only_fails_is_on_the_scoreboard(scoreboard: Scoreboard, url: str) -> None:
    squares.log(url, "machine03", "FAILURE")
    assert lines(scoreboard)["machine03"]["failures"] == 1


def test_counts_stay_right_over_many_looks(
    scoreboard: Scoreboard, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoreboards, "SECONDS", 3)
    for number in range(40):
        squares.load(url, 50, 5, first=50 * number, spread=0.2)
        scoreboard.look()
    wait_for(lambda: scoreboard.look()["rate"] == 0, what="rows that are all settled")
    assert (scoreboard.look()["done"], len(scoreboard.raster)) == (2000, 2000)
    assert sum(each["retries"] + each["failures"] for each in lines(scoreboard).values()) == 200


def test_a_row_whose_statement_takes_long_is_counted(scoreboard: Scoreboard, url: str) -> None:
    with psycopg.connect(url.replace("+psycopg", "")) as slow:
        slow.execute("SELECT now()")  # begins the transaction, whose time the row gets
        squares.add(url, "machine01", EDINBURGH)
        assert scoreboard.look()["done"] == 1
        slow.execute(
            "INSERT INTO geopython.grid_squares SELECT gen_random_uuid(), grid_ref, style_cat, x, y, geom,"
            " worker, attempt, 'machine02', now() FROM geopython.grid_squares"
        )
        assert scoreboard.look()["done"] == 1
        slow.commit()
    assert scoreboard.look()["done"] == 2


def test_emptied_tables_are_noticed(scoreboard: Scoreboard, url: str) -> None:
    squares.load(url, 1000, 100, until=30)
    scoreboard.look()
    squares.clear(url)
    squares.load(url, 1000, until=30)
    assert scoreboard.look()["done"] == 1000
    assert sum(each["retries"] for each in lines(scoreboard).values()) == 0


def test_removed_rows_are_noticed(scoreboard: Scoreboard, url: str) -> None:
    """`workshop class clear` deletes, as does `workshop class resend --remove-forged`."""
    squares.load(url, 1000, until=30)
    assert scoreboard.look()["done"] == 1000
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        database.execute("DELETE FROM geopython.grid_squares WHERE machine = 'machine07'")
    wait_for(lambda: "machine07" not in lines(scoreboard), what="one less")
    assert 900 < scoreboard.look()["done"] < 1000
    assert len(scoreboard.raster) == scoreboard.look()["done"]


@pytest.mark.parametrize("point", [(float("nan"), 5), (-1, 5), (1e300, 5), (5, float("inf")), (700_000, 5)])
def test_a_row_off_the_grid_counts_but_is_not_drawn(
    scoreboard: Scoreboard, url: str, point: tuple[float, float]
) -> None:
    squares.add(url, "machine01", point, (699_999.9, 1_299_999.9))
    assert (scoreboard.look()["done"], len(scoreboard.raster)) == (2, 1)


def test_a_following_look_reads_only_late_rows(url: str) -> None:
    squares.load(url, 20_000, until=30)
    squares.load(url, 50, first=20_000, spread=1)
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        database.execute("ANALYZE geopython.grid_squares")  # PostgreSQL does it by itself, each minute
        late = datetime.now(UTC) - timedelta(seconds=20)
        found = database.execute(
            "EXPLAIN (ANALYZE) " + scoreboards._ROWS, {"cut": late, "since": late}
        ).fetchall()
    plan = "\n".join(line for (line,) in found)
    assert "Index" in plan and "Rows Removed" not in plan, plan


def test_after_an_outage_it_goes_on(
    scoreboard: Scoreboard, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    squares.load(url, 100, until=30)
    assert scoreboard.look()["done"] == 100
    with monkeypatch.context() as outage:
        outage.setattr(scoreboard, "_address", "postgresql://127.0.0.1:9/none")
        with pytest.raises(psycopg.OperationalError):
            scoreboard.look()
    squares.add(url, "machine01", EDINBURGH)
    assert scoreboard.look()["done"] == 101


def test_the_wall_says_what_is_away_and_keeps_the_rest(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    squares.load(url, 100, until=30)
    site = SimpleNamespace(database_url=url, broker_url=settings.broker_url(), central=None)
    monkeypatch.setattr(wall, "site", lambda: site)
    shown = Wall()
    wait_for(lambda: shown.latest().get("done") == 100, what="squares")
    assert shown.latest()["trouble"] == ""
    with monkeypatch.context() as outage:
        outage.setattr(site, "broker_url", "amqp://nobody:x@127.0.0.1:9/x")
        away = "RabbitMQ does not answer. This page goes on by itself."
        wait_for(lambda: shown.latest()["trouble"] == away, what="a sentence")
        assert (shown.latest()["waiting"], shown.latest()["done"]) == (None, 100)
        outage.setattr(Scoreboard, "look", lambda self: psycopg.connect("postgresql://127.0.0.1:9/none"))
        both = f"{away} PostGIS does not answer. This page goes on by itself."
        wait_for(lambda: shown.latest()["trouble"] == both, what="two sentences")
        assert shown.latest()["done"] == 100
    wait_for(lambda: shown.latest()["trouble"] == "", what="both services again")
