"""The country goes on the central queue evenly, through faults, and what becomes of it is known."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import Mock

import psutil
import psycopg
import pytest
from click.testing import CliRunner
from kombu import Connection
from osbng import BNGReference
from shapely import Point

from backstage.classroom import audit, clearing, country, fill
from backstage.classroom import central as at
from backstage.cli import main
from tests.conftest import hear_ctrl_c, wait_for
from tests.integration.machine import Machine, manage
from workshop import grid
from workshop.delivery.configuration import DEAD, SQUARES
from workshop.delivery.guard import fault
from workshop.maps import read_boundary


@pytest.fixture(autouse=True)
def fresh(request) -> Iterator[None]:
    """Nothing was fed yet, and nothing waits or is written; no command outlives its test."""
    if "central" not in request.fixturenames:
        yield
        return
    central: Machine = request.getfixturevalue("central")
    with central.amqp() as connection:
        for queue in (SQUARES, DEAD):
            connection.default_channel.queue_purge(queue.name)
    central.sql("DROP TABLE IF EXISTS geopython.fill_tasks")
    central.sql("TRUNCATE geopython.grid_squares")
    yield
    for process in _started:
        process.kill()
        process.wait()
    _started.clear()


_started: list[subprocess.Popen[str]] = []


MOST = 3000
FEW_WAIT = (
    "-c",
    f"""
from backstage.classroom import fill
from backstage.cli import main
fill.MOST_WAITING = {MOST}
main()""",
)
"""The program, with a queue that is full sooner."""


def command(*arguments: str, program: tuple[str, ...] = ("-m", "backstage")) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, *program, "class", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    _started.append(process)
    return process


def shown(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(main, ["class", *arguments])
    assert result.exit_code == code, result.output
    return result.output


def waiting(central: Machine) -> int:
    with central.amqp() as connection:
        return SQUARES(connection.default_channel).queue_declare(passive=True).message_count


def fed(central: Machine) -> int:
    """Return how many squares RabbitMQ has confirmed."""
    begun = central.sql("SELECT to_regclass('geopython.fill_tasks') IS NOT NULL") == [(True,)]
    return begun and central.sql("SELECT count(*) FROM geopython.fill_tasks")[0][0]


def take(central: Machine, number: int) -> list:
    """Take messages off the queue with a machine's account, as one that throws them away."""
    with Connection(at.cards()[1].broker.url) as connection:
        queue = SQUARES(connection.default_channel)
        return [queue.get(no_ack=True) for _ in range(number)]


def work(central: Machine, number: int, **wrong: object) -> list[str]:
    """Take messages and write their rows as a worker does, but for what is `wrong`."""
    ids = []
    for message in take(central, number):
        (x, y), id = message.payload[0], message.headers["id"]
        row = {"grid_ref": grid.reference(x, y), "x": x, "y": y}
        row |= {"style_cat": nation_at(x, y)} | wrong
        write(id, **row)
        ids.append(id)
    return ids


def nation_at(x: float, y: float) -> str:
    """Return the nation that the map shows at a point."""
    nations = read_boundary().set_index("code").geometry
    return min(nations.index[nations.intersects(Point(x, y))], default="SEA")


def write(id: str, grid_ref: str, x: float, y: float, style_cat: str, shift: float = 0) -> None:
    """Write a row with a machine's account."""
    corners = ((each // 1000 + one) * 1000 + shift for one in (0, 1) for each in (x, y))
    with psycopg.connect(at.cards()[1].database.url.replace("+psycopg", "")) as database:
        database.execute(
            "INSERT INTO geopython.grid_squares (task_id, grid_ref, x, y, style_cat, geom, worker, attempt)"
            "VALUES (%s, %s, %s, %s, %s, ST_MakeEnvelope(%s, %s, %s, %s, 27700), 'w', 1)",
            (id, grid_ref, x, y, style_cat, *corners),
        )


def squares(part: str) -> set[country.Point]:
    """Return the centres of a part's squares, each of which is there once."""
    with fill.database() as database:
        found = [(x, y) for x, y, _ in country.squares(database, part)]
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.nightly
def test_all_squares_are_ordnance_survey_s(central):
    every = squares("all")
    assert len(every) == 910_000
    for x, y in sorted(every)[::5000]:
        assert BNGReference(grid.reference(x, y)).bng_to_grid_geom().centroid.coords[0] == (x, y)


def test_the_parts_of_the_country_are_ordnance_survey_s(central):
    land = squares("land")
    assert len(land) == 251_954
    for point in read_boundary().geom.representative_point():
        assert (point.x // 1000 * 1000 + 500, point.y // 1000 * 1000 + 500) in land
    edinburgh, london, north_sea = (325_500, 673_500), (530_500, 180_500), (650_500, 900_500)
    assert edinburgh in land and london in land and north_sea not in land
    scotland = squares("SCT")
    assert edinburgh in scotland and london not in scotland
    for letters in ("NT", "SV"):
        assert {grid.reference(*point)[:2] for point in squares(letters)} == {letters}
        assert len(squares(letters)) == 10_000


@pytest.mark.parametrize("wrong", ["XX", "GER", "SEA"])
def test_no_such_part(central, wrong):
    text = shown("fill", wrong, code=2)
    assert f'There is no part "{wrong}". Next: a nation (ENG, SCT, WLS, NIR, IMN)' in text


def test_without_a_central_it_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    for name in ("fill", "ledger", "resend"):
        assert "No central is open on this machine. Next: workshop class start" in shown(name, code=3)


def test_a_message_is_what_delay_sends(central, monkeypatch):
    """But for the id."""
    fill.fill("NT", 1)
    (ours,) = take(central, 1)
    x, y = ours.payload[0]
    delay = f"from workshop.tasks import do_task; do_task.delay({x}, {y})"
    addresses = {f"WORKSHOP_{name.upper()}": central.stack()[name] for name in ("broker_url", "database_url")}
    subprocess.run([sys.executable, "-c", delay], check=True, env=os.environ | addresses)
    (theirs,) = take(central, 1)
    assert fault(ours, ["workshop.tasks.do_task"]) is None
    assert (ours.body, ours.content_type, ours.content_encoding) == (
        theirs.body,
        theirs.content_type,
        theirs.content_encoding,
    )
    assert ours.headers | {"id": ""} == theirs.headers | {"id": ""}
    assert ours.headers["id"] == ours.properties["correlation_id"]
    chance = ("correlation_id", "application_headers")
    assert {name: ours.properties[name] for name in ours.properties if name not in chance} == {
        name: theirs.properties[name] for name in theirs.properties if name not in chance
    }
    routing = ("exchange", "routing_key")
    assert [ours.delivery_info[name] for name in routing] == [theirs.delivery_info[name] for name in routing]


def test_it_goes_on_where_it_stopped(central):
    assert "1,500 of 10,000 squares" in shown("fill", "nt", "--tasks", "1500")
    assert fill.fill("NT", 300) == (1800, 10_000)
    messages = take(central, 1800)
    assert waiting(central) == 0
    points = {tuple(message.payload[0]) for message in messages}
    assert len(points) == 1800 == len({message.headers["id"] for message in messages})
    assert all(300_000 < x < 400_000 and 600_000 < y < 700_000 for x, y in points)
    assert 640_000 < sum(y for _, y in points) / 1800 < 660_000  # evenly, not from the south


def test_never_too_many_wait_and_ctrl_c_is_the_pause(central):
    process = command("fill", "HY", program=FEW_WAIT)
    wait_for(lambda: waiting(central) >= MOST - fill.BATCH_TASKS, 120, "a full queue")
    take(central, 2000)
    wait_for(lambda: waiting(central) >= MOST - fill.BATCH_TASKS, 120, "a full queue again")
    process.send_signal(2)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 0 and "The same command goes on" in text
    assert waiting(central) <= MOST
    assert waiting(central) + 2000 >= fed(central) >= MOST + 2000 - 2 * fill.BATCH_TASKS


def test_nothing_is_lost_when_rabbitmq_dies_meanwhile(central):
    before = central.service("rabbitmq")["pid"]
    process = command("fill", "HY", "--tasks", "3000")
    assert process.stdout
    wait_for(lambda: fed(central) >= 1000, 60, "the first squares")
    psutil.Process(before).kill()
    text, _ = process.communicate(timeout=480)
    assert process.returncode == 0, text
    assert "Nothing is lost: it goes on by itself" in text
    assert "3,000 of 10,000 squares" in text
    central.until_again("rabbitmq", before)
    ids = {message.headers["id"] for message in take(central, waiting(central))}
    assert ids == {str(id) for (id,) in central.sql("SELECT task_id FROM geopython.fill_tasks")}


def test_refused_tasks_are_sent_again_under_their_ids(central):
    with short_queue(central):
        process = command("fill", "NT", "--tasks", "900")
        wait_for(lambda: waiting(central) >= 50, 30, "a full queue")
        assert fed(central) == 0
    text, _ = process.communicate(timeout=240)
    assert process.returncode == 0 and "RabbitMQ refuses the task: its queue is full." in text
    assert len({message.headers["id"] for message in take(central, waiting(central))}) == 900


@contextmanager
def short_queue(central: Machine) -> Iterator[None]:
    """Let the broker refuse what comes to a queue of 50 messages."""
    limit = {"max-length": 50, "overflow": "reject-publish"}
    rule = {"pattern": "^squares$", "apply-to": "queues", "definition": limit, "priority": 9}
    policy = f"policies/{at.site().virtual_host}/test"
    manage(central, "PUT", policy, rule)
    try:
        yield
    finally:
        manage(central, "DELETE", policy)


def audit_after(central: Machine, settled: bool = True) -> audit.Audit:
    """Return the audit once RabbitMQ has counted what the test did."""
    found: list[audit.Audit] = []

    def counted() -> bool:
        found[:] = [audit.audit()]
        return not settled or (found[0].waiting == 0 and found[0].held == {})

    wait_for(counted, 40, "an audit after all")
    return found[0]


def test_stolen_and_purged_squares_are_missing_until_sent_again(central):
    fill.fill("NT", 30)
    done = work(central, 10)
    assert "20 tasks are on their way" in shown("ledger", code=1)
    take(central, 5)
    with Connection(at.cards()[1].broker.url) as connection:
        assert connection.default_channel.queue_purge("squares") == 15
    found = audit_after(central)
    assert (found.fed, found.rows.total(), found.missing, found.open.total()) == (30, 10, 20, 20)
    text = shown("ledger", code=1)
    assert (
        "missing         20  confirmed by RabbitMQ, and nowhere" in text and "workshop class resend" in text
    )
    assert "20 squares were sent again" in shown("resend")
    work(central, 20)
    found = audit_after(central)
    assert (found.rows.total(), found.missing, found.open) == (30, 0, {})
    assert "The ledger balances" in shown("ledger")
    assert {str(id) for (id,) in central.sql("SELECT task_id FROM geopython.grid_squares")} >= set(done)


def test_what_a_machine_holds_is_not_missing(central):
    fill.fill("NT", 3)
    with Connection(at.cards()[0].broker.url) as connection:
        assert SQUARES(connection.default_channel).get(no_ack=False)
        assert take(central, 2)
        wait_for(lambda: audit.on_the_way(60)[1] == {"machine01": 1}, 30, "RabbitMQ's count")
        assert audit.audit().missing == 0
        assert "Held for long? workshop class resend" in shown("ledger", code=1)
        assert "3 squares were sent again" in shown("resend")
        assert "What has no answer is known only when nothing waits" in shown("resend")
    wait_for(lambda: waiting(central) == 4, 10, "the message back")


FORGERIES = {
    "another point": {"x": 325_501.0},
    "no point": {"x": float("nan")},
    "beyond the grid": {"y": 1e9},
    "another nation": {"style_cat": "IMN"},
    "another shape": {"shift": 10.0},
}


ELSEWHERE = {"x": 1500.0, "y": 1500.0, "grid_ref": "SV0101", "style_cat": "SEA"}


def test_rows_that_no_worker_writes_are_found_and_their_squares_done_after_all(central):
    """Forged ones, and those of another square under a task's id; what others sent is let be."""
    fill.fill("NT", 20)
    good = work(central, 13)
    forged = [id for wrong in FORGERIES.values() for id in work(central, 1, **wrong)]
    write(good[0], **ELSEWHERE)
    more = work(central, 1, **ELSEWHERE) + work(central, 1, grid_ref="NT0000")
    write("0" * 31 + "1", "NT2573", 325_200, 673_500, "SCT")
    found = audit_after(central)
    assert (found.fed, found.rows.total(), found.missing) == (20, 13, 2)
    assert (found.forged, found.more) == ({"machine02": 5}, {"machine02": 3})
    assert found.strangers == {"machine02": 1} and not found.balanced
    text = shown("ledger", code=1)
    assert "forged           5  " in text and "5 x machine02" in text
    assert "more             3  MORE-ROWS: rows under a fed square's id that are of another square" in text
    assert "strangers        1  rows of tasks not sent here: others send such tasks" in text
    assert "Next: workshop class resend, with --remove-forged for those rows" in text
    assert "2 squares were sent again" in shown("resend")
    assert sorted(work(central, 2)) == sorted(more)
    audit_after(central)
    text = shown("resend", "--remove-forged")
    assert "8 rows were removed" in text and "5 squares were sent again" in text
    assert sorted(work(central, 5)) == sorted(forged)
    found = audit_after(central)
    assert (found.fed, found.rows.total(), found.forged, found.more) == (20, 20, {}, {})
    assert found.strangers == {"machine02": 1} and found.balanced


def test_dead_letters_are_not_missing_and_may_be_sent_again(central):
    fill.fill("NT", 2)
    with Connection(at.cards()[1].broker.url) as connection:
        SQUARES(connection.default_channel).get().reject()
        SQUARES(connection.default_channel).get().ack()
    with central.amqp() as connection:
        connection.Producer().publish("no task", exchange="dead")
    found = audit_after(central)
    assert (found.dead.total(), found.strange_letters, found.missing) == (1, 1, 1)
    assert "2 squares were sent again" in shown("resend")
    work(central, 2)
    found = audit_after(central)
    assert (found.rows.total(), found.dead, found.missing) == (2, {}, 0)


def test_what_others_wrote_moves_no_cursor(central):
    fill.fill("NT", 1)
    with Connection(at.cards()[1].broker.url) as connection:
        message = SQUARES(connection.default_channel).get()
        headers = message.headers | {"reason": "\x1b[2J\x1b]0;mine\x07all is well"}
        exchange, key = "tasks", "task.square"
        connection.Producer().publish(message.body, exchange=exchange, routing_key=key, headers=headers,
                                      content_type="application/json", content_encoding="utf-8")  # fmt: skip
        message.ack()
        wait_for(lambda: waiting(central) == 1, 10, "the message")
        SQUARES(connection.default_channel).get().reject()
    wait_for(lambda: not audit.audit().held, what="RabbitMQ's count of what is held")
    text = shown("ledger")
    assert "\x1b" not in text and "\x07" not in text and "all is well" in text


def test_a_square_is_the_same_task_whenever_it_is_sent(central):
    """So what RabbitMQ had when a feeding broke off, and the database did not, makes one row."""
    number = len(squares("IMN"))
    assert fill.fill("IMN") == (number, number)
    central.sql("DELETE FROM geopython.fill_tasks")
    fill.fill("IMN")
    assert len({message.headers["id"] for message in take(central, 2 * number)}) == number


def test_two_feedings_at_once_send_each_square_once(central):
    processes = [command("fill", "IMN") for _ in range(2)]
    for process in processes:
        text, _ = process.communicate(timeout=240)
        assert process.returncode == 0 and "That is all" in text
    assert waiting(central) == fed(central) == len(squares("IMN"))


@pytest.mark.parametrize("asked", [False, True])
def test_feeding_ends_when_the_central_is_cleared(central, asked):
    """Also if someone asks at once what was fed, which makes the table anew."""
    process = command("fill", "HY", program=FEW_WAIT)
    full = MOST - fill.BATCH_TASKS
    wait_for(lambda: waiting(central) == fed(central) > full, 240, "a full queue, all noted")
    assert fill.unfed(at.site().database_url) >= 10_000 - MOST
    process.send_signal(signal.SIGSTOP)
    clearing.clear(at.site())
    if asked:
        assert audit.audit().fed == 0
    process.send_signal(signal.SIGCONT)
    text, _ = process.communicate(timeout=120)
    assert process.returncode == 3 and "The central was cleared meanwhile" in text
    assert waiting(central) == fed(central) == 0


def test_squares_are_known_though_their_resending_was_killed(central, monkeypatch):
    fill.fill("NT", 20)
    take(central, 20)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(fill, "send", Mock(side_effect=KeyboardInterrupt))
        audit.resend(audit_after(central), remove_forged=False)
    assert audit_after(central).missing == 20
    assert "20 squares were sent again" in shown("resend")
    assert waiting(central) == fed(central) == 20


def test_a_country_takes_seconds(central):
    """Nothing is done for each square of its own, but where it must be."""
    with fill.database():
        central.sql(
            "INSERT INTO geopython.fill_tasks (task_id, x, y) "
            "SELECT gen_random_uuid(), n, n FROM generate_series(1, 250000) AS n"
        )
    before = psutil.Process().cpu_times().user
    found = audit.audit()
    assert psutil.Process().cpu_times().user - before < 20
    assert found.fed == found.open.total() == 250_000
