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


def lose_an_answer(monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    """Let the next statement be done, and its connection break before it says so."""
    send, lost = getattr(database, way), iter([True])

    def send_and_lose(*args: Any) -> Any:
        answer = send(*args)
        if next(lost, False):
            gone = psycopg.OperationalError("gone")
            raise sa.exc.OperationalError("", None, gone, connection_invalidated=True)
        return answer

    monkeypatch.setattr(database, way, send_and_lose)


def test_a_line_of_the_task_log_is_sent_twice_and_written_once(
    room: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = task.Attempt(uuid4(), "worker1@test", 1, 0)
    monkeypatch.setattr(task, "current_attempt", lambda: attempt)
    lose_an_answer(monkeypatch, "_send")
    task.write_task_log("RETRY", ValueError("no answer"))
    assert room.sql("SELECT state FROM geopython.task_log WHERE task_id = %s", attempt.task_id) == [
        ("RETRY",)
    ]


def test_a_square_is_sent_twice_and_written_once(room: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    lose_an_answer(monkeypatch, "_send_plain")
    square = {"task_id": uuid4(), "grid_ref": "NT2573", "x": 325_200, "y": 673_500}
    db.store_square(**square, worker="worker1@test", attempt=1)
    written = "SELECT style_cat FROM geopython.grid_squares WHERE task_id = %s"
    assert room.sql(written, square["task_id"]) == [("SCT",)]


def test_a_statement_is_done_however_many_connections_have_died(room: Machine) -> None:
    with database.engine().connect(), database.engine().connect(), database.engine().connect():
        pass
    others = "pid <> pg_backend_pid() AND datname = current_database()"
    room.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    assert database.fetch("SELECT %(number)s + 1", {"number": 1}) == [(2,)]


def test_a_database_that_is_not_there_is_an_outage_whichever_way_it_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORKSHOP_DATABASE_URL", "postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    for ask in (lambda: database.fetch("SELECT 1", {}), lambda: database.execute(sa.text("SELECT 1"))):
        with pytest.raises(sa.exc.OperationalError):
            ask()
        outage = database.outage.get()
        assert outage
        assert not outage.late
