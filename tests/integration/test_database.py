"""What a statement costs nobody: its rows stay, and one whose answer got lost is written once."""

from typing import Any
from uuid import uuid4

import psycopg
import pytest
import sqlalchemy as sa

from tests.integration.machine import Machine
from workshop import database, db
from workshop.delivery import task

pytestmark = pytest.mark.usefixtures("room")


def test_rows_can_be_read_when_their_connection_is_gone() -> None:
    rows = database.execute(sa.text("SELECT generate_series(1, 3) AS number"))
    database.engine().dispose()
    assert [row.number for row in rows] == [1, 2, 3]


@pytest.fixture
def lost_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next statement be done, and its connection break before it says so."""
    send = database._send

    def send_and_lose(*args: Any) -> sa.Result:
        send(*args)
        monkeypatch.setattr(database, "_send", send)
        raise sa.exc.OperationalError("", None, psycopg.OperationalError("gone"), connection_invalidated=True)

    monkeypatch.setattr(database, "_send", send_and_lose)


@pytest.mark.usefixtures("lost_answer")
def test_a_line_of_the_task_log_is_sent_twice_and_written_once(
    room: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = task.Attempt(uuid4(), "worker1@test", 1, 0)
    monkeypatch.setattr(task, "current_attempt", lambda: attempt)
    task.write_task_log("RETRY", ValueError("no answer"))
    assert room.sql("SELECT state FROM geopython.task_log WHERE task_id = %s", attempt.task_id) == [
        ("RETRY",)
    ]


@pytest.mark.usefixtures("lost_answer")
def test_a_square_is_sent_twice_and_written_once(room: Machine) -> None:
    square = {"task_id": uuid4(), "grid_ref": "NT2573", "x": 325_200, "y": 673_500}
    db.store_square(**square, worker="worker1@test", attempt=1)
    written = "SELECT style_cat FROM geopython.grid_squares WHERE task_id = %s"
    assert room.sql(written, square["task_id"]) == [("SCT",)]
