"""The wall at a real central: it shows that one, and machines by the accounts that they have there."""

import time
from uuid import uuid4

import psycopg
from shapely import box

from backstage.classroom import fill
from backstage.classroom.card import Card
from backstage.classroom.central import site
from backstage.classroom.wall import Wall
from tests.classroom.opened import database
from tests.conftest import wait_for
from workshop.delivery.ledger import tasks_in_queue

SQUARE = box(325_000, 673_000, 326_000, 674_000).wkt


def work(card: Card, rows: int, worker: str) -> None:
    with database(card) as connection:
        for _ in range(rows):
            connection.execute(
                "INSERT INTO grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt)"
                " VALUES (%s, 'NT2573', 'SCT', 325200, 673500, ST_GeomFromText(%s, 27700), %s, 1)",
                [uuid4(), SQUARE, worker],
            )
        connection.execute(
            "INSERT INTO task_log (task_id, state, attempt, error, worker) VALUES (%s, 'RETRY', 1, 'x', %s)",
            [uuid4(), worker],
        )


def look() -> Wall:
    found = Wall()
    found.look()
    return found


def test_machines_of_the_central_whatever_they_call_themselves(cards: list[Card]) -> None:
    work(cards[0], 3, "worker1@machine02")
    work(cards[1], 2, "<img src=x onerror=alert(1)>")
    seen = look()
    lines = {name: (line.done, line.retries) for name, line in seen.doers.items()}
    assert lines == {"machine01": (3, 1), "machine02": (2, 1)}
    assert (seen.words["title"], seen.words["trouble"]) == ("Squares · Central", "")
    assert "<img" not in str(seen.words)


def test_the_end_is_estimated_from_what_waits_and_what_is_still_to_be_fed(cards: list[Card]) -> None:
    fill.fill("IMN", 200)
    url = site().database_url
    assert fill.unfed(url) == 0  # it has sent what it was asked for
    with psycopg.connect(url.replace("+psycopg", ""), application_name="class fill 400"):  # one that is at it
        assert fill.unfed(url) == 400
        wait_for(lambda: tasks_in_queue(site().broker_url) == 200, what="the queue's length")
        seen = look()
        work(cards[0], 10, "worker1@machine01")
        began = time.monotonic()
        seen.look()
    assert 0 < seen.words["left"] <= 600 / (10 / (time.monotonic() - began + 5))
