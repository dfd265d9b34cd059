"""What a look at the ledger asks for, and how it counts."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from backstage.classroom import audit_text
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
    now = Ledger(tasks(20_000))
    assert now.look()
    assert sum(asked) == 2000
    assert (len(now.rows), len(now.open), now.waiting) == (50, 19_950, 7)
    assert not now.look(), "what has its row is not asked for again"
    assert sum(asked) == 3000


def test_a_retry_counts_by_the_row_where_the_log_has_no_line() -> None:
    first, second, third = (task.id for task in tasks(3, retries=1))
    lines = [LogLine(first, "RETRY", 2, "", 1), LogLine(second, "RETRY", 2, "", 1)]
    now = Ledger(tasks(3, retries=1))
    now.log = {(line.task_id, line.state, line.attempt): line for line in lines}
    now.rows = {first: 3, third: 5}
    assert now.retried == {first: 1, second: 1, third: 3}


BLOCK = Published(str(UUID(int=1)), "workshop.blocks.do_block", [325_200, 673_500], "run", "")


@pytest.mark.parametrize(
    ("rows", "done", "wrong"),
    [(100, True, ""), (99, False, ""), (101, True, "MORE-ROWS: {id} has 101 rows, not 100")],
)
def test_a_block_is_done_with_all_its_rows_and_no_others(
    monkeypatch: pytest.MonkeyPatch, rows: int, done: bool, wrong: str
) -> None:
    found = [(UUID(BLOCK.id), "ROW", 1, None, None, rows)]
    monkeypatch.setattr(ledger, "execute", lambda *_: found)
    now = Ledger([BLOCK])
    now._read([BLOCK.id])
    assert (BLOCK.id in now.rows, BLOCK.id not in now.open) == (done, done)
    assert now.wrong.get(BLOCK.id, "").startswith(wrong.format(id=BLOCK.id))
    assert bool(now.wrong) == bool(wrong)
    assert now.balanced == (done and not wrong)


def test_one_id_with_other_arguments_is_found_before_any_row_is_there() -> None:
    now = Ledger([replace(BLOCK, other="do_block(5, 5)")])
    assert now.wrong == {
        BLOCK.id: f"OTHER-ARGUMENTS: {BLOCK.id} is do_block(325200, 673500), then do_block(5, 5)"
    }


def test_at_a_central_the_log_says_what_failed(asked: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its dead letters can't be seen by a machine that joined it; so they are not on their way for ever."""
    failed, done = tasks(51)[50], tasks(1)[0]
    row = (UUID(done.id), "ROW", 1, None, None, 1)
    line = (UUID(failed.id), "FAILURE", 1, "TaskError: x", None, None)
    monkeypatch.setattr(ledger, "execute", lambda statement, values: [row, line])
    monkeypatch.setattr(ledger, "letters", lambda names: [])
    monkeypatch.setattr(ledger.settings, "joined", lambda: True)
    now = Ledger([done, failed])
    now.search()
    assert now.dead == {failed.id: "TaskError: x"}
    assert list(audit_text.of_machine(now))[-1].startswith("The ledger balances")
