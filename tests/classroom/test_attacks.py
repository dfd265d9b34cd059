"""A machine of a central means harm: what it tries with its account is refused, and its own work is not."""

import json
import socket
import urllib.error
import urllib.request
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from uuid import uuid4

import amqp
import psycopg
import pytest
from celery import Celery
from click.testing import CliRunner
from kombu import Connection

from backstage.classroom import central, clearing, fill, passed
from backstage.classroom.card import Card
from backstage.cli import main
from backstage.stack.http import ask_rabbitmq
from backstage.stack.postgis import SESSIONS
from backstage.stack.status import running_site
from tests.classroom.opened import beyond, broker, database
from tests.conftest import wait_for
from workshop import db


@pytest.fixture
def card(cards: list[Card]) -> Card:
    return cards[0]


# What a machine is for.


def store(card: Card, worker: str) -> None:
    """Write a row as a task does, and say that it is another's."""
    values = {
        "task_id": str(uuid4()),
        "grid_ref": "NT2573",
        "x": 325_200,
        "y": 673_500,
        "worker": worker,
        "attempt": 1,
    }
    with database(card) as connection:
        assert connection.execute(db.STORE_SQUARES, {"squares": json.dumps([values])}).fetchall()


def test_a_row_names_the_account_whatever_it_claims(cards: list[Card]) -> None:
    store(cards[1], "worker1@machine01")
    with database(cards[0]) as connection:
        rows = connection.execute("SELECT worker, machine, style_cat FROM grid_squares").fetchall()
        log = (
            "INSERT INTO task_log (task_id, state, attempt, error, worker) VALUES (%s, 'RETRY', 1, '', 'me')"
        )
        logged = connection.execute(f"{log} RETURNING machine", [uuid4()]).fetchone()
    assert rows == [("worker1@machine01", "machine02", "SCT")]
    assert logged == ("machine01",)


def test_the_instructor_sees_who_has_passed_what(cards: list[Card]) -> None:
    """Of those who share it; the latest verdict counts."""
    assert workshop("class", "passed").startswith("Nobody has shared a verdict yet")
    for card, challenge, code in (
        (cards[1], 2, "C2-RETRY-SWALLOWED"),
        (cards[1], 2, "C2-PASSED"),
        (cards[0], 1, "C1-NOTHING\x1b[2J"),
        (cards[0], 9, "C9-PASSED"),
    ):
        with database(card) as connection:
            connection.execute("INSERT INTO verdicts (challenge, code) VALUES (%s, %s)", [challenge, code])
    table = passed.shared()
    assert table.index.to_list() == ["machine01", "machine02"] and table.columns.to_list() == [1, 2, 3, 4, 5]
    assert table.loc["machine02"].to_list() == ["", "passed", "", "", ""]
    shown = workshop("class", "passed")
    assert "passed" in shown and "C1-NOTHING" in shown and "\x1b" not in shown
    clearing.clear(central.site())
    assert passed.shared().empty


def workshop(*arguments: str) -> str:
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return result.output


# What it may not do at the broker.


def publish(exchange: str, key: str, **properties: object) -> Callable[[amqp.Channel], None]:
    return lambda channel: channel.basic_publish(amqp.Message("harm", **properties), exchange, key)


REFUSED_AT_BROKER: dict[str, tuple[Callable[[amqp.Channel], object], str]] = {
    "send past the exchange": (publish("", "squares"), "403.*access to exchange 'amq.default'"),
    "send to their exchange": (publish("dead", "x"), "403.*access to exchange 'dead'"),
    "send by another key": (publish("tasks", "task.other"), "403.*access to topic 'task.other'"),
    "send other events": (publish("amq.topic", "command.all"), "403.*access to topic 'command.all'"),
    "send to all": (publish("amq.fanout", ""), "403.*access to exchange 'amq.fanout'"),
    "send as another user": (publish("tasks", "task.square", user_id="celery_user"), "406.*user_id"),
    "send too much": (
        lambda channel: channel.basic_publish(amqp.Message(b"x" * 4_200_000), "tasks", "task.square"),
        "406.*larger than",
    ),
    "declare a queue": (lambda channel: channel.queue_declare("mine"), "403.*access to queue 'mine'"),
    "declare any queue": (lambda channel: channel.queue_declare(exclusive=True), "403.*access to queue"),
    "delete the queue": (lambda channel: channel.queue_delete("squares"), "403.*access to queue 'squares'"),
    "delete the exchange": (
        lambda channel: channel.exchange_delete("tasks"),
        "403.*access to exchange 'tasks'",
    ),
    "bind the queue": (
        lambda channel: channel.queue_bind("squares", "amq.topic", "#"),
        "403.*access to queue 'squares'",
    ),
    "read the dead letters": (lambda channel: channel.basic_get("dead"), "403.*access to queue 'dead'"),
    "empty the dead letters": (lambda channel: channel.queue_purge("dead"), "403.*access to queue 'dead'"),
}


@pytest.mark.parametrize("attack", REFUSED_AT_BROKER)
def test_the_broker_refuses(card: Card, attack: str) -> None:
    act, answer = REFUSED_AT_BROKER[attack]
    with broker(card) as channel, pytest.raises(amqp.exceptions.AMQPError, match=answer):
        act(channel)


def test_other_workers_can_not_be_commanded(card: Card) -> None:
    with Celery(broker=card.broker.url, set_as_current=False) as application:
        for command in (application.control.shutdown, application.control.ping):
            with pytest.raises(amqp.exceptions.AccessRefused, match="celery.pidbox"):
                command()


def test_there_is_no_other_virtual_host(card: Card) -> None:
    for name in ("/", "celery_app"):
        with pytest.raises(amqp.exceptions.NotAllowed, match="530"), broker(card, virtual_host=name):
            pass


def test_the_broker_refuses_wrong_passwords(card: Card) -> None:
    for login in (
        {"password": "wrong"},
        {"user": card.machine},
        {"user": "guest", "password": "guest"},
    ):
        with pytest.raises(amqp.exceptions.AccessRefused, match="403"), broker(card, **login):
            pass


def test_the_well_known_account_counts_on_this_machine_only(card: Card) -> None:
    beyond(card)
    own = {"user": "celery_user", "password": "secret"}
    for name in (card.central, "celery_app"):
        with (
            pytest.raises(amqp.exceptions.AccessRefused, match="403"),
            broker(card, **own, virtual_host=name),
        ):
            pass
        with broker(card, **own, virtual_host=name, host="127.0.0.1"):
            pass


def test_the_management_interface_refuses_machines(card: Card) -> None:
    site = central.site()
    login = b64encode(f"{card.account}:{card.password}".encode()).decode()
    request = urllib.request.Request(
        f"{site.management_url}/api/overview", headers={"Authorization": f"Basic {login}"}
    )
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(request, timeout=60)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((card.host, site.ports["management"]), timeout=5)


def test_a_machine_has_so_many_connections_and_channels(cards: list[Card]) -> None:
    """And another machine has its own."""
    with ExitStack() as many:
        channels = [many.enter_context(broker(cards[1])) for _ in range(30)]
        with pytest.raises(amqp.exceptions.NotAllowed, match="limit"):
            many.enter_context(broker(cards[1]))
        with pytest.raises(amqp.exceptions.AMQPError, match="limit"):
            for _ in range(100):
                channels[0].connection.channel()
        with broker(cards[0]) as channel:
            assert channel.basic_get("squares") is None


def test_the_queue_takes_so_many_messages(card: Card) -> None:
    """More are refused, and the sender is told; nobody's task is dropped for them."""
    with Connection(card.broker.url) as flood:  # without confirmations, so that it is fast
        channel = flood.channel()
        for _ in range(25_500):
            channel.basic_publish(amqp.Message("{}"), "tasks", "task.square")
    with Connection(central.site().broker_url) as instructor:
        inside = instructor.channel()

        def waiting() -> int:
            return inside.queue_declare("squares", passive=True).message_count

        wait_for(lambda: waiting() >= 25_000, what="a full queue")
        with broker(card) as sender, pytest.raises(amqp.exceptions.MessageNacked):
            sender.basic_publish(amqp.Message("one more"), "tasks", "task.square")
        assert waiting() == 25_000
        inside.queue_purge("squares")


# What it may not do at the database.

REFUSED_AT_DATABASE = {
    "change rows": "UPDATE grid_squares SET style_cat = 'SEA'",
    "delete rows": "DELETE FROM grid_squares",
    "empty the table": "TRUNCATE grid_squares",
    "drop the table": "DROP TABLE grid_squares",
    "name another machine": "INSERT INTO task_log (task_id, state, attempt, error, worker, machine) "
    "VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me', 'machine02')",
    "name another time": "INSERT INTO task_log (task_id, state, attempt, error, worker, at) "
    "VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me', now() - interval '1 day')",
    "name a square's machine": "INSERT INTO grid_squares (machine) VALUES ('machine02')",
    "name a square's time": "INSERT INTO grid_squares (processed_at) VALUES (now())",
    "change the log": "UPDATE task_log SET error = ''",
    "read what was fed": "SELECT * FROM fill_tasks",
    "say that a task was fed": "INSERT INTO fill_tasks DEFAULT VALUES",
    "read others' verdicts": "SELECT * FROM verdicts",
    "pass in another's name": "INSERT INTO verdicts (machine, challenge, code) VALUES ('me', 1, 'C1-PASSED')",
    "take a verdict back": "DELETE FROM verdicts",
    "change the nations": "UPDATE uk_boundary SET code = 'SEA'",
    "add a nation": "INSERT INTO uk_boundary (code, name) VALUES ('XXX', 'Mine')",
    "change the CRS": "UPDATE public.spatial_ref_sys SET srtext = ''",
    "hold up a start": "SELECT pg_advisory_lock(27700)",
    "create a table": "CREATE TABLE geopython.mine (i int)",
    "create a public table": "CREATE TABLE public.mine (i int)",
    "create a temporary table": "CREATE TEMP TABLE mine (i int)",
    "create a schema": "CREATE SCHEMA mine",
    "create a trigger": "CREATE TRIGGER mine AFTER INSERT ON grid_squares EXECUTE FUNCTION lo_manage()",
    "run a program": "DO $$ BEGIN NULL; END $$",
    "create a database": "CREATE DATABASE mine",
    "keep a large object": "SELECT lo_creat(-1)",
    "keep a large object with bytes": "SELECT lo_from_bytea(0, 'x')",
    "read a file into an object": "SELECT lo_import('/etc/passwd')",
    "run a server's program": "COPY uk_boundary (code) TO PROGRAM 'id'",
    "write a server's file": "COPY uk_boundary (code) TO '/tmp/mine'",
    "read a server's file": "SELECT pg_read_file('/etc/passwd')",
    "list a server's folder": "SELECT pg_ls_dir('/')",
    "read passwords": "SELECT rolpassword FROM pg_authid",
    "change another's password": "ALTER ROLE {other} PASSWORD 'mine'",
    "last longer": "ALTER ROLE {me} VALID UNTIL 'infinity'",
    "create a role": "CREATE ROLE mine SUPERUSER",
    "become the owner": "SET ROLE geopython",
    "become another machine": "SET ROLE {other}",
    "log in anew as the superuser": "SET SESSION AUTHORIZATION postgres",
    "change the server": "ALTER SYSTEM SET max_connections = 1",
    "log nothing": "SET log_statement = 'none'",
    "end others' sessions": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename IS NULL",
    "load a library": "LOAD '/tmp/mine.so'",
    "read settings of files": "SELECT * FROM pg_hba_file_rules",
}


@pytest.mark.parametrize("attack", REFUSED_AT_DATABASE)
def test_the_database_refuses(card: Card, attack: str) -> None:
    with fill.database():
        pass  # the table of what was fed is there
    with database(card) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        names = {"{me}": f'"{card.account}"', "{other}": f'"{card.central}-machine02"'}
        statement = REFUSED_AT_DATABASE[attack]
        for name, role in names.items():
            statement = statement.replace(name, role)
        connection.execute(statement)


def test_others_statements_are_not_shown(cards: list[Card]) -> None:
    with database(cards[0]) as connection, database(cards[1]) as other:
        other.execute("SELECT 'a secret'")
        seen = connection.execute(
            "SELECT query FROM pg_stat_activity WHERE usename = %s", [cards[1].account]
        ).fetchall()
        assert seen == [("<insufficient privilege>",)]


def refused(card: Card, login: dict[str, object], answer: str) -> None:
    with pytest.raises(psycopg.OperationalError, match=answer):
        database(card, **login)


def test_the_database_lets_machines_in_and_nobody_else(card: Card) -> None:
    token = central.site().token
    refusals: list[tuple[dict[str, object], str]] = [
        ({"password": "wrong"}, "password authentication failed"),
        ({"user": f"{card.central}-machine99"}, "password authentication failed|no pg_hba.conf entry"),
        ({"user": card.central, "password": token}, "not permitted to log in|authentication failed"),
        ({"name": "geopython-db"}, "no pg_hba.conf entry"),
        ({"name": "postgres"}, "no pg_hba.conf entry"),
        ({"name": "template1"}, "no pg_hba.conf entry"),
        ({"name": "postgres", "host": "127.0.0.1"}, "no pg_hba.conf entry"),
    ]
    for login, answer in refusals:
        refused(card, login, answer)
    for password in ("geopython", "postgres", "secret"):
        login = {"host": "127.0.0.1", "user": "postgres", "password": password}
        refused(card, login, "password authentication failed")


@pytest.mark.parametrize("user", ["postgres", "geopython"])
def test_own_accounts_count_on_this_machine_only(card: Card, user: str) -> None:
    beyond(card)
    password = "geopython" if user == "geopython" else central.site().token
    for name in ("postgres", "geopython-db", card.central):
        refused(card, {"user": user, "password": password, "name": name}, "pg_hba.conf rejects")
    database(card, user=user, password=password, host="127.0.0.1").close()


def test_a_machine_that_takes_all_it_can_leaves_others_what_is_theirs(cards: list[Card]) -> None:
    """Another machine has its own sessions, and so has the owner's own work."""
    own = running_site()
    assert own
    with ExitStack() as many:
        for _ in range(SESSIONS):
            many.enter_context(database(cards[1]))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            database(cards[1])
        for _ in range(30):
            many.enter_context(broker(cards[1]))
        database(cards[0]).close()
        psycopg.connect(own.database_url.replace("+psycopg", "")).close()
        with Connection(own.broker_url) as connection:
            connection.connect()


def test_what_a_machine_sets_for_itself_ends_with_the_next_settling(card: Card) -> None:
    """It may lift its own time limit, and change its own password; both hurt others little."""
    from backstage.stack.roles import settle

    with database(card) as connection:
        connection.execute(f'ALTER ROLE "{card.account}" SET statement_timeout = 0')
        connection.execute(f"ALTER ROLE \"{card.account}\" PASSWORD 'mine'")
    with pytest.raises(psycopg.OperationalError):
        database(card)
    settle(central.site())
    with database(card) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)


def test_a_machine_can_not_give_what_it_has_not(card: Card) -> None:
    """PostgreSQL answers with a warning only, and grants nothing."""
    with database(card) as connection:
        connection.execute("GRANT UPDATE, DELETE, INSERT ON grid_squares TO PUBLIC")
        for privilege in ("UPDATE", "DELETE", "INSERT"):
            asked = "SELECT has_table_privilege('geopython.grid_squares', %s)"
            assert connection.execute(asked, [privilege]).fetchone() == (False,)


def test_all_the_attacks_left_no_trace(card: Card) -> None:
    queues = ask_rabbitmq(central.site(), f"/api/queues/{card.central}").decode()
    assert sorted(part.partition('"')[0] for part in queues.split('"name":"')[1:]) == ["dead", "squares"]
    with database(card) as connection:
        tables = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'geopython'"
        ).fetchall()
    of_the_clock = {"nation_counts"}  # there if a test of the periodic tasks ran in this process before
    of_a_class = {"fill_tasks", "verdicts"}
    assert {"grid_squares", "task_log", "uk_boundary"} | of_a_class == {
        name for (name,) in tables
    } - of_the_clock
