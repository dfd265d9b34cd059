"""A task for a block is all its squares, once, whatever happens on its way."""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import psutil
import psycopg
import pytest
import sqlalchemy as sa

from backstage.stack import demo
from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.integration.own_stack import done, task_of
from tests.servers import empty
from workshop import blocks, live, maps, settings, state_folder
from workshop.blocks import do_block
from workshop.database import execute
from workshop.delivery.asking import ask
from workshop.delivery.ledger import ledger
from workshop.delivery.record import Published, published
from workshop.errors import WorkshopError
from workshop.service import is_faulty
from workshop.tasks import do_task

DEE = (325_200, 373_500)
"""In the estuary of the Dee: England, Wales and the sea are in its block."""

pytestmark = pytest.mark.usefixtures("worker")


@pytest.fixture(autouse=True)
def afresh(room: Machine) -> None:
    empty(room)
    (room.state / "published.jsonl").unlink(missing_ok=True)


def send(*arguments: object, **options: object) -> Published:
    id = do_block.apply_async(arguments or DEE, **options).id
    return next(task for task in published() if task.id == id)


def references(task: Published) -> list[str]:
    return list(maps.read_squares([task.id]).grid_ref)


def test_a_block_over_a_coast_is_what_its_squares_are_one_by_one() -> None:
    block = send()
    assert done([block]).done == 1
    squares = maps.read_squares([block.id])
    assert len(squares) == len(set(squares.grid_ref)) == 100
    assert set(squares.style_cat) == {"ENG", "WLS", "SEA"}
    assert squares.total_bounds.tolist() == [320_000, 370_000, 330_000, 380_000]
    assert set(squares.attempt) == {1} and squares.worker[0].startswith("worker1@")

    sample = squares.sample(25, random_state=2018).sort_values("grid_ref")
    ids = [do_task.delay(x, y).id for x, y in zip(sample.x, sample.y, strict=True)]
    assert done([task_of(id) for id in ids]).done == 25
    alone = maps.read_squares(ids)
    columns = ["grid_ref", "style_cat", "x", "y"]
    assert alone[columns].values.tolist() == sample[columns].values.tolist()
    assert alone.geom.geom_equals(sample.geom.reset_index(drop=True)).all()
    assert Counter(alone.style_cat) == Counter(sample.style_cat)


def test_the_largest_block_is_done_too() -> None:
    block = send(*DEE, 100)
    assert done([block]).done == 1
    assert len(set(references(block))) == block.squares == 10_000
    assert ledger().balanced


def test_a_statement_finds_in_every_block_what_the_points_do() -> None:
    """Blocks by chance, some of each size, compared square by square with the lookup of `do_task`."""
    chance = random.Random(27700)
    for km in (1, 1, 10, 10, 10, 10, 100):
        blocks.geoprocess(chance.randrange(100_000, 600_000), chance.randrange(1_000_000), km)
    differ = execute(
        sa.text("""
        SELECT count(*) FILTER (WHERE style_cat <> coalesce(
                   (SELECT min(code) FROM geopython.uk_boundary
                    WHERE ST_Intersects(geom, ST_Centroid(square.geom))), 'SEA')),
               count(*) FILTER (WHERE NOT ST_Equals(ST_Centroid(geom), ST_SetSRID(ST_Point(x, y), 27700))),
               count(*), count(DISTINCT style_cat) > 1
        FROM geopython.grid_squares AS square
        """)
    ).all()
    assert differ == [(0, 0, 10_402, True)]


def test_delivered_twice_it_writes_its_rows_once() -> None:
    block = send()
    send(task_id=block.id)
    assert done([block]).done == 1
    assert done([send(5, 5)]).done == 1, "what was sent after both"
    wait_for(lambda: not ledger().waiting and not ledger().held, what="the second delivery's end")
    assert len(references(block)) == 100
    assert ledger().balanced


@contextmanager
def stopped_halfway(task_id: str) -> Iterator[None]:
    """Let the statement of a block wait when it has written some of its rows."""
    url = settings.database_url().replace("+psycopg", "")
    with psycopg.connect(url) as other:
        other.execute(
            "INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt)"
            "VALUES (%s, 'SJ2575', 'SEA', 5, 5, ST_MakeEnvelope(0, 0, 1000, 1000, 27700), 'other', 1)",
            [task_id],
        )
        yield
        other.rollback()


WAITS = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'generate_series'"


def test_killed_in_the_middle_it_has_written_nothing_and_then_all(
    room: Machine, worker: psutil.Process
) -> None:
    id = str(uuid4())
    with stopped_halfway(id):
        block = send(task_id=id)
        wait_for(lambda: room.sql(WAITS)[0][0] == 1, what="a statement that waits")
        (killed,) = ask(settings.broker_url(), "course_kill_process").values()
        wait_for(lambda: not psutil.pid_exists(killed), what="the end of its process")
        assert references(block) == []
    assert done([block]).done == 1
    assert len(set(references(block))) == 100
    assert worker.is_running()


def test_a_service_error_is_tried_again() -> None:
    x = next(n for n in range(325_000, 330_000) if is_faulty_once(n, 5))
    settings.change(fault_rate=0.5)
    try:
        block = send(x, 5)
        end = done([block])
    finally:
        settings.change(fault_rate=None)
    assert (end.done, end.retried) == (1, 1)
    squares = maps.read_squares([block.id])
    assert len(squares) == 100 and set(squares.attempt) == {2}


def is_faulty_once(x: int, y: int) -> bool:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_FAULT_RATE", "0.5")
        return is_faulty(x, y, 0) and not is_faulty(x, y, 1)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((5, 5, 7), "ValueError: km must be 1, 10 or 100, not 7"),
        ((5, "5", 10), "ValueError: y must be a number of metres with 0 <= y < 1300000, not '5'"),
    ],
)
def test_wrong_arguments_fail_at_once(arguments: tuple, sentence: str) -> None:
    block = send(*arguments)
    assert done([block]).failed == 1
    log = live.read_log([block.id])
    assert list(log.state) == ["FAILURE"] and log.error[0] == sentence
    assert references(block) == []


def test_more_rows_and_another_task_under_one_id_are_found(room: Machine) -> None:
    block = send()
    assert done([block]).done == 1
    do_task.apply_async((325_200, 673_500), task_id=block.id)  # another place
    wait_for(lambda: len(references(block)) == 101, what="a row more")
    now = ledger()
    assert not now.balanced
    assert now.wrong == {
        block.id: f"OTHER-ARGUMENTS: {block.id} is do_block{DEE}, then do_task(325200, 673500)",
    }
    assert ledger([Published(block.id, do_block.name, list(DEE), "test", "", confirmed=True)]).wrong == {
        block.id: f"MORE-ROWS: {block.id} has 101 rows, not 100"
    }
    shown = room.workshop("ledger", code=1)
    assert f"1 x OTHER-ARGUMENTS: {block.id} is do_block(325200, 373500), then do_task(325200" in shown
    assert "The ledger does not balance. Next: send each task under an id of its own" in shown


def test_a_demo_of_some_blocks_shows_all_their_squares_once() -> None:
    page = state_folder.ROOT / "demo.html"
    page.unlink(missing_ok=True)
    shown: list[str] = []
    settings.change(fault_rate=0.9)
    try:
        demo.run(shown.append, "workshop.blocks", 300_000, 600_000, 330_000, 620_000)
    finally:
        settings.change(fault_rate=None)
    assert [line.split()[:2] for line in shown[0].splitlines()[2:4]] == [
        ["England", "0"],
        ["Scotland", "600"],
    ]
    assert shown[1].startswith("6 tasks, 6 done, 0 failed: 600 squares in ")
    assert "<html" in page.read_text()


def test_a_demo_that_did_a_square_twice_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "send", lambda *_: [send(), send()])
    shown: list[str] = []
    with pytest.raises(WorkshopError, match="Not every square is there once. Next: workshop ledger"):
        demo.run(shown.append, "workshop.blocks")
    assert shown[-1].startswith("2 tasks, 2 done, 0 failed: 100 squares in ")
