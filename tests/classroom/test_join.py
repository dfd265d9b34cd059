"""Joining a central queue: wrong addresses are told apart, right ones work, and everything is taken back."""

import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backstage.classroom import join
from backstage.classroom.card import Card
from backstage.stack.workers import machine_name
from tests.classroom.guests import other_machine
from tests.conftest import wait_for
from tests.integration.machine import Machine
from tests.servers import Lodger, at
from workshop import live, maps, settings, state_folder
from workshop.delivery import addresses
from workshop.delivery.addresses import broker_trouble, database_trouble
from workshop.delivery.ledger import ledger
from workshop.delivery.record import Published, published
from workshop.tasks import do_task

HERE, OTHER, GUEST = f"worker1@{machine_name()}", "worker1@machine08", "worker1@machine06"


@pytest.fixture(scope="module")
def own(central: Machine, room: Machine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A machine whose worker works in a room; this process uses its settings, as its notebook would."""
    own = Lodger(tmp_path_factory.mktemp("join") / "state", room=room)
    with at(own.state, **own.addresses):
        try:
            own.workshop("up", "--detach", "worker")
            yield own
        finally:
            own.workshop("down", "--purge")
            own.until_gone(set(), 10)


@pytest.fixture
def parts(own: Machine, cards: list[Card]) -> Card:
    return cards[5]


def broker(parts: Card, **changed: object) -> str:
    part = vars(parts.broker) | changed
    return "{scheme}://{user}:{password}@{host}:{port}/{virtual_host}".format_map({"scheme": "amqp"} | part)


def database(parts: Card, **changed: object) -> str:
    part = {"scheme": "postgresql+psycopg"} | vars(parts.database) | changed
    return "{scheme}://{user}:{password}@{host}:{port}/{name}".format_map(part)


def tried() -> dict[str, Any]:
    return state_folder.read("join.json")


def send(number: int) -> list[str]:
    """Send tasks, wait for them, and return their ids."""
    before = len(published())
    for _ in range(number):
        do_task.delay(325_200, 673_500)
    run = published()[before:]
    assert live.watch(run, quiet=True, patience=80).done == number
    return [task.id for task in run]


def shares(ids: list[str]) -> dict[str, int]:
    return maps.read_squares(ids).groupby("worker").size().to_dict()


WRONG_BROKER: list[tuple[dict[str, object], str]] = [
    ({"user": "celery"}, "user or password"),
    ({"password": "wrong-one"}, "user or password"),
    ({"port": "database's"}, "port"),
    ({"virtual_host": "celery_ap"}, "virtual host"),
    ({"virtual_host": ""}, "virtual host"),
]
WRONG_DATABASE: list[tuple[dict[str, object], str]] = [
    ({"user": "geo"}, "user or password"),
    ({"password": "wrong-one"}, "user or password"),
    ({"port": "broker's"}, "port"),
    ({"name": "geopython"}, "database"),
    ({"name": "postgres"}, "database"),
]


@pytest.mark.parametrize(
    ("which", "wrong", "part"),
    [("broker", *each) for each in WRONG_BROKER] + [("database", *each) for each in WRONG_DATABASE],
)
def test_the_wrong_part_is_named(
    parts: Card,
    which: str,
    wrong: dict[str, object],
    part: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Each mistake changes nothing but the note of what was tried."""
    swapped = {"broker's": parts.broker.port, "database's": parts.database.port}
    wrong = {name: swapped.get(str(value), value) for name, value in wrong.items()}
    build: dict[str, Callable[..., str]] = {"broker": broker, "database": database}
    urls = {name: build[name](parts, **(wrong if name == which else {})) for name in build}
    assert not join.join(urls["broker"], urls["database"])
    assert (tried()["failed"]["address"], tried()["failed"]["part"]) == (which, part)
    shown = capsys.readouterr().out
    assert shown.count("\n") == 2
    assert f"{which} address fails at this part: {part}" in shown
    seen = [str(value) for name, value in wrong.items() if name != "password" and value]
    assert all(value in shown for value in seen)
    note = (state_folder.state_dir() / "join.json").read_text()
    for secret in (parts.password, "wrong-one"):
        assert secret not in shown + note
    assert not state_folder.read("joined.json")


def test_a_server_that_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "PATIENCE", 2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        trouble = broker_trouble(f"amqp://celery_user:secret@127.0.0.1:{port}/celery_app")
        assert trouble and trouble.part == "port"
        trouble = database_trouble(f"postgresql://geopython:geopython@127.0.0.1:{port}/geopython-db")
        assert trouble and trouble.part == "port"


def test_without_addresses_nothing_happens(own: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    (own.state / "join.json").unlink(missing_ok=True)
    assert not join.join(None, None)
    assert "no addresses yet" in capsys.readouterr().out
    assert not join.join("", "")
    assert not tried() and not state_folder.read("joined.json")
    assert join.leave()
    assert "own queue and database" in capsys.readouterr().out


def test_one_address_alone_is_not_enough(parts: Card) -> None:
    assert not join.join(broker(parts), None)
    assert (tried()["failed"]["address"], tried()["failed"]["part"]) == ("database", "address")


def test_joined_machines_share_the_tasks_until_one_leaves(
    own: Machine, central: Machine, cards: list[Card], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A machine that leaves finishes its task for the central database, and no row goes astray."""
    with other_machine(tmp_path, cards[7]) as other:
        share_and_leave(own, central, cards[5], capsys)
        assert other.service("worker1")["restarts"] == 0


def share_and_leave(own: Machine, central: Machine, parts: Card, capsys: pytest.CaptureFixture[str]) -> None:
    assert shares(send(5)) == {HERE: 5}
    assert join.join(broker(parts), database(parts))
    assert (
        f"Joined as machine06. This machine's worker waits for tasks at {parts.host}:{parts.broker.port}."
        in capsys.readouterr().out
    )
    assert tried()["failed"] is None
    assert stat.S_IMODE((own.state / "joined.json").stat().st_mode) == 0o600
    settings.change(pace=20)
    ids = send(150)
    counted = shares(ids)
    assert counted.keys() == {GUEST, OTHER}
    assert sum(counted.values()) == 150
    squares = maps.read_squares(ids)
    assert set(squares.machine + squares.worker) == {f"machine06{GUEST}", f"machine08{OTHER}"}
    settings.change(pace=500)
    before = len(published())
    for _ in range(20):
        do_task.delay(325_200, 673_500)
    run = published()[before:]
    wait_for(lambda: live.progress(run).done, 20, "the first row")
    join.leave()
    settings.change(pace=None)
    assert "Back: " in capsys.readouterr().out
    assert shares(ids) == shares([task.id for task in run]) == {}
    wait_for(lambda: rows(central, run) == 20, 20, "every row at the central")
    assert shares(send(5)) == {HERE: 5}


def test_what_was_sent_while_joined_is_not_missing_afterwards(own: Machine, parts: Card) -> None:
    """The record says where it went, and the machine's own ledger does not look for it."""
    there = [task.id for task in published() if task.sent_to.endswith(f"/{parts.broker.virtual_host}")]
    send(1)
    joins_with_its_code(own, parts)
    there += send(3)
    assert [task.id for task in ledger().published] == there
    assert own.workshop("leave").startswith("Back: ")
    now = ledger()
    assert (now.missing, now.unknown, now.balanced) == ([], [], True)
    assert [task.id for task in now.elsewhere] == there
    shown = own.workshop("ledger")
    assert f"elsewhere {len(there):>8,}  sent to another broker, so not judged here" in shown
    assert f"{len(there)} x {parts.broker.host}/{parts.broker.virtual_host}\n" in shown
    run = [task for task in published() if task.id in there]
    assert str(live.watch(run)).endswith(f"; {len(there)} sent to another queue")
    record = (own.state / "published.jsonl").read_text()
    assert parts.password not in record


def joins_with_its_code(own: Machine, parts: Card) -> None:
    """By the command, also with spaces; a second time changes nothing."""
    wrong = own.workshop("join", parts.code[:-1] + "?", code=2)
    assert wrong.startswith("Error: There is a typing mistake")
    shown = own.workshop("join", *parts.code.lower().split("-"))
    place = f"{parts.host}:{parts.broker_port}"
    assert shown == f"Joined as machine06. This machine's worker waits for tasks at {place}.\n"
    assert own.workshop("join", parts.code) == shown
    assert tried()["failed"] is None
    here = f"This machine is machine06 at {place}, a central queue. It answers."
    assert here in own.workshop("status")


def rows(machine: Machine, run: list[Published]) -> int:
    ids = [task.id for task in run]
    return machine.sql("SELECT count(*) FROM grid_squares WHERE task_id = ANY(%s::uuid[])", ids)[0][0]
