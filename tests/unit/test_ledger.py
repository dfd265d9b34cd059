"""What a look at the ledger asks for, and how it counts."""

from typing import Any
from uuid import UUID

import pytest

from workshop.delivery import ledger
from workshop.delivery.ledger import Ledger, LogLine
from workshop.delivery.record import Published


def tasks(number: int, retries: int = 0) -> list[Published]:
    return [
        Published(str(UUID(int=n)), "workshop.tasks.do_task", [5, 5], "run", "", retries=retries)
        for n in range(number)
    ]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many tasks the database was asked for, each time; of those, the first fifty have a row."""
    numbers: list[int] = []

    def execute(statement: object, values: dict[str, Any]) -> list[tuple]:
        numbers.append(len(values["ids"]))
        return [(id, "ROW", 1, None, None, 1) for id in values["ids"] if id.int < 50]

    monkeypatch.setattr(ledger, "execute", execute)
    monkeypatch.setattr(ledger, "tasks_in_queue", lambda url: 7)
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://a:b@127.0.0.1:1/c")
    return numbers


def test_a_look_asks_only_as_far_as_there_is_news(asked: list[int]) -> None:
    now = Ledger(tasks(910_000))
    assert now.look()
    assert sum(asked) == 2000
    assert (len(now.rows), len(now.open), now.waiting) == (50, 909_950, 7)
    assert not now.look(), "what has its row is not asked for again"
    assert sum(asked) == 3000


def test_a_retry_counts_by_the_row_where_the_log_has_no_line() -> None:
    first, second, third = (task.id for task in tasks(3, retries=1))
    lines = [LogLine(first, "RETRY", 2, "", 1), LogLine(second, "RETRY", 2, "", 1)]
    now = Ledger(tasks(3, retries=1), log={(line.task_id, line.state, line.attempt): line for line in lines})
    now.rows = {first: 3, third: 5}
    assert now.retried == {first: 1, second: 1, third: 3}
