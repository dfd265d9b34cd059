"""One task is one row: the whole way of a point, through a real RabbitMQ, worker and PostGIS."""

import json
import random
import subprocess
import sys
from uuid import UUID, uuid4

import geopandas
import pytest
import shapely
import sqlalchemy as sa

from tests.conftest import wait_for
from tests.integration.own_stack import EDINBURGH, done, no_nations, task_of
from workshop import db, live, maps, periodic, settings
from workshop.database import among, engine, execute, fetch
from workshop.delivery.ledger import letters, tasks_in_queue
from workshop.periodic import NationCount, count_squares
from workshop.service import geoprocess, is_faulty
from workshop.tasks import application, do_task

pytestmark = pytest.mark.usefixtures("worker")


def dead_ids() -> set[str]:
    """Return the ids of all tasks in the queue `dead`."""
    return {letter.id for letter in letters(known=[do_task.name])}


def test_one_task_is_one_row():
    id = do_task.delay(*EDINBURGH).id
    done([task_of(id)])
    rows = maps.read_squares([id])
    assert len(rows) == 1
    row = rows.iloc[0]
    assert (row.grid_ref, row.style_cat, row.attempt) == ("NT2573", "SCT", 1)
    assert row.worker.startswith("worker1@")
    assert row.geom.bounds == (325_000, 673_000, 326_000, 674_000)
    assert rows.crs.to_epsg() == 27700


def test_squares_are_sorted_whatever_someone_wrote(room):
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(4)]
    for id, reference in zip(ids, ("NT2573", "HL0006", "É" * 2000, "HL0006"), strict=True):
        room.sql(
            "INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt)"
            "VALUES (%s, %s, 'SEA', 5, 5, ST_MakeEnvelope(0, 0, 1000, 1000, 27700), 'other', 1)",
            *(id, reference),
        )
    assert [ids.index(id) for id in maps.read_squares(reversed(ids)).task_id] == [1, 3, 0, 2]


def test_a_second_delivery_makes_no_second_row():
    id = str(uuid4())
    for _ in range(3):
        do_task.apply_async(EDINBURGH, task_id=id)
    wait_for(lambda: tasks_in_queue(settings.broker_url()) == 0)
    done([task_of(id)])
    marker = do_task.delay(*EDINBURGH).id
    done([task_of(marker)])
    assert len(maps.read_squares([id])) == 1
    assert live.read_log([id]).empty, "a delivery more is no failure"


def test_called_directly_it_writes_a_row_too():
    before = rows_of("direct")
    assert geoprocess(*EDINBURGH) == "NT2573"
    do_task(*EDINBURGH)
    assert rows_of("direct") == before + 2


def rows_of(worker: str) -> int:
    square = db.GridSquare
    return execute(sa.select(sa.func.count()).where(square.worker == worker)).scalar_one()


def test_nations_and_squares_agree_with_geopandas():
    """The statement that each task sends, for 4,000 points."""
    chance = random.Random(27700)
    table = [(chance.uniform(0, 700_000), chance.uniform(0, 1_300_000)) for _ in range(4_000)]
    rows = store([{"task_id": uuid4(), "x": x, "y": y} for x, y in table])
    points = geopandas.GeoDataFrame(geometry=geopandas.points_from_xy(rows.x, rows.y), crs=27700)
    expected = points.sjoin(maps.read_boundary(), how="left").sort_values("code")
    expected = expected[~expected.index.duplicated()].sort_index().code.fillna("SEA")
    assert list(rows.style_cat) == list(expected)
    assert set(rows.style_cat) == set(db.CODES)
    west, south = rows.x // 1000 * 1000, rows.y // 1000 * 1000
    squares = shapely.box(west, south, west + 1000, south + 1000)
    assert shapely.equals(rows.geom, squares).all()
    square = db.GridSquare
    query = sa.select(square.task_id, square.geom).where(among(square.task_id, [*map(UUID, rows.task_id)]))
    seen = geopandas.read_postgis(query, engine())
    written = dict(zip(seen.task_id.astype(str), seen.geom, strict=True))
    both = [written[task_id] for task_id in rows.task_id], squares
    assert shapely.equals(*both).all(), "what QGIS sees is what read_squares computes"


def store(squares: list[dict[str, object]]) -> geopandas.GeoDataFrame:
    """Write squares as tasks do, and read them."""
    same = {"grid_ref": "NT2573", "worker": "test@test", "attempt": 1}
    for start in range(0, len(squares), 500):
        rows = [square | same for square in squares[start : start + 500]]
        fetch(db.STORE_SQUARES, {"squares": json.dumps(rows, default=str)})
    return maps.read_squares([square["task_id"] for square in squares])


@pytest.mark.parametrize("bad", ["12", float("nan")])
def test_a_bad_x_fails_at_once_and_is_kept(bad):
    bad_id = do_task.delay(bad, 5).id
    good_id = do_task.delay(*EDINBURGH).id
    assert done([task_of(bad_id)]).failed == 1
    log = live.read_log([bad_id])
    assert list(log.state) == ["FAILURE"]
    assert "ValueError: x must be a number of metres with 0 <= x < 700000, not " in log.error[0]
    assert len(maps.read_squares([bad_id])) == 0
    wait_for(lambda: bad_id in dead_ids(), what="the message in the queue 'dead'")
    assert done([task_of(good_id)]).done == 1, "the worker lives"


@pytest.fixture
def faults():
    settings.change(fault_rate=0.5)
    yield
    settings.change(fault_rate=None)


def errors_of(x: int, y: int) -> int:
    errors = 0
    while is_faulty(x, y, errors):
        errors += 1
    return errors


@pytest.mark.challenge(2)
def test_retries_are_those_computed_from_the_points(faults):
    """A short countdown stands in for the 10 s of the course: the retry itself is the real one."""
    points = [(1000 * n + 500, 2000 * n) for n in range(12)]
    expected = sum(errors_of(x, y) for x, y in points)
    assert expected > 5
    ids = [do_task.delay(x, y).id for x, y in points]
    end = done([task_of(id) for id in ids])
    assert (end.done, end.failed, end.retried) == (12, 0, expected)
    log = live.read_log(ids)
    assert set(log.state) == {"RETRY"}
    attempts = maps.read_squares(ids).set_index("task_id").attempt
    for id, (x, y) in zip(ids, points, strict=True):
        assert attempts[id] == errors_of(x, y) + 1


@pytest.mark.challenge(2)
def test_a_used_up_budget_is_a_final_failure(faults):
    x, y = next((n, n) for n in range(1000, 2000) if is_faulty(n, n, errors=0))
    id = do_task.apply_async((x, y), retries=3).id
    assert done([task_of(id)]).failed == 1
    log = live.read_log([id])
    assert list(log.state) == ["FAILURE"]
    assert log.error[0].startswith("ServiceError: ")
    wait_for(lambda: id in dead_ids(), what="the message in the queue 'dead'")


def test_no_nations_is_a_fault_of_the_environment():
    with no_nations(), pytest.raises(db.BoundaryMissing, match="uk_boundary is empty. Run: workshop up"):
        geoprocess(*EDINBURGH)


def test_squares_are_counted_by_the_clock():
    """The periodic task has a queue and a worker of its own, which the ordinary worker leaves alone."""
    assert application.conf.beat_schedule["count squares"]["schedule"] == 60
    do_task(*EDINBURGH)
    command = periodic.__doc__.partition("``")[2].partition("``")[0].split()
    worker = subprocess.Popen(
        [sys.executable, "-m", *command], start_new_session=True, stderr=subprocess.DEVNULL
    )
    try:
        count_squares.delay()
        wait_for(nation_counts, what="a row in nation_counts")
    finally:
        worker.terminate()
        worker.wait(timeout=120)
    assert nation_counts()["SCT"] >= 1


def nation_counts() -> dict[str, int]:
    if not sa.inspect(engine()).has_table(NationCount.__tablename__, schema="geopython"):
        return {}
    return {row.style_cat: row.squares for row in execute(sa.select(NationCount.__table__))}
