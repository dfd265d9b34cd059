"""Before a machine joins, each fault is met for real, and has its own sentence; nothing is changed by it."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from backstage.classroom import join
from backstage.classroom.card import Card
from tests.classroom.cables import cables
from tests.classroom.guests import RIGHTS, with_superuser
from tests.classroom.opened import beyond
from tests.conftest import wait_for
from tests.integration.machine import Machine, manage
from workshop import state_folder
from workshop.errors import WorkshopError, WrongUse


@pytest.fixture
def card(cards: list[Card]) -> Card:
    return cards[6]


@pytest.fixture(autouse=True)
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose services are taken for running: none of these tests gets as far as its worker."""
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.setattr(join, "require_workers", lambda: None)
    monkeypatch.setattr(join, "settle", lambda: None)


def said(card: Card) -> str:
    """Try to join with the code of a card; return what was said."""
    lines: list[str] = []
    joined = join.join(card.code, say=lines.append)
    shown = "\n".join(lines)
    print(shown)
    note = (state_folder.state_dir() / "join.json").read_text()
    assert card.password not in shown + note
    assert joined is shown.startswith("Joined as machine07.")
    if not joined:
        assert state_folder.read("join.json")["failed"]["next_step"] in shown
        assert not state_folder.read("joined.json")
    return shown


def test_a_good_card_is_let_in(card: Card) -> None:
    assert said(card).startswith("Joined as machine07.")
    assert state_folder.read("joined.json")["machine"] == "machine07"


def test_a_mistyped_code_or_an_ended_card_is_not_even_tried(card: Card) -> None:
    wrong = card.code[:-1] + ("A" if card.code[-1] != "A" else "B")
    with pytest.raises(WrongUse, match="There is a typing mistake in this code(.|\n)*Next: compare it with"):
        join.join(wrong)
    ended = replace(card, until=datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5))
    with pytest.raises(WorkshopError, match="card of machine07 ended on .* Next: set the clock .* new card"):
        join.join(ended.code)
    assert state_folder.read("join.json")["failed"]["part"] == "code"
    assert not state_folder.read("joined.json")


def test_the_central_has_ended(card: Card) -> None:
    with socket.create_server((card.host, 0)) as closed:
        port = closed.getsockname()[1]
    shown = said(replace(card, broker_port=port, database_port=port))
    assert f"Nothing listens at the broker's port {port} on {card.host}.\nNext: ask your instructor" in shown


@contextmanager
def full_backlog(address: str) -> Iterator[int]:
    """Yield a port that lets nobody in and says nothing, as behind a firewall."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((address, 0), backlog=0))
        for _ in range(8):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(server.getsockname())
        yield server.getsockname()[1]


def test_a_network_that_keeps_its_machines_apart(card: Card) -> None:
    beyond(card)
    with full_backlog(card.host) as port:
        shown = said(replace(card, broker_port=port, database_port=port))
    is_told_apart(card.host, shown)


def is_told_apart(address: str, shown: str) -> None:
    assert f'The broker\'s host "{address}" ' in shown
    assert "Perhaps this machine is in another network; or the Wi-Fi keeps its machines apart" in shown
    assert "Next: connect to the central's network" in shown


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and the command ip")
def test_a_machine_that_is_not_there(card: Card) -> None:
    """Its address is in a network with this one."""
    with cables(1) as net:
        assert net
        is_told_apart(net.address_of(2), said(replace(card, host=net.address_of(2))))


def test_an_old_password(card: Card) -> None:
    shown = said(replace(card, password="0" * 16))
    assert f'refuses the user "{card.account}" with this password.\nNext: ask your instructor' in shown


def test_no_virtual_host(central: Machine, card: Card) -> None:
    path = f"permissions/{card.central}/{card.account}"
    manage(central, "DELETE", path)
    shown = said(card)
    manage(central, "PUT", path, RIGHTS)
    assert f'RabbitMQ has no virtual host "{card.central}", or not for user "{card.account}".' in shown


def test_no_more_connections_to_the_broker(central: Machine, card: Card) -> None:
    manage(central, "PUT", f"user-limits/{card.account}/max-connections", {"value": 0})
    said_so = f'RabbitMQ lets no more connections in for the user "{card.account}".\nNext: end other'
    assert said_so in said(card)
    manage(central, "PUT", f"user-limits/{card.account}/max-connections", {"value": 30})


def test_another_password_at_the_database(central: Machine, card: Card) -> None:
    with_superuser(central, f"ALTER ROLE \"{card.account}\" PASSWORD 'another'")
    assert f'PostgreSQL refuses the user "{card.account}" with this password.' in said(card)
    with_superuser(central, f"ALTER ROLE \"{card.account}\" PASSWORD '{card.password}'")


def test_the_role_has_no_connection_left(central: Machine, card: Card) -> None:
    with_superuser(central, f'ALTER ROLE "{card.account}" CONNECTION LIMIT 1')
    with psycopg.connect(card.database.url.replace("+psycopg", "")):
        shown = said(card)
    with_superuser(central, f'ALTER ROLE "{card.account}" CONNECTION LIMIT 20')
    assert f'lets no more connections in for the user "{card.account}": too many connections' in shown
    wait_for(lambda: "Joined as" in said(card), 10, "the room that the other connection left")


def test_the_database_has_no_connection_left(central: Machine, card: Card) -> None:
    with_superuser(central, f"ALTER DATABASE {card.central} CONNECTION LIMIT 0")
    shown = said(card)
    with_superuser(central, f"ALTER DATABASE {card.central} CONNECTION LIMIT 2600")
    assert "PostgreSQL lets no more connections in at all: too many connections for database" in shown


@pytest.mark.parametrize(
    ("fault", "mend", "sentence"),
    [
        (
            "ALTER TABLE geopython.task_log RENAME TO log",
            "ALTER TABLE geopython.log RENAME TO task_log",
            'The database "{}" has no table geopython.task_log.',
        ),
        (
            "REVOKE USAGE ON SCHEMA geopython FROM {}",
            "GRANT USAGE ON SCHEMA geopython TO {}",
            'may not look into the schema geopython of the database "{}".',
        ),
    ],
    ids=["no table", "no schema"],
)
def test_a_database_that_is_not_ready(
    central: Machine, card: Card, fault: str, mend: str, sentence: str
) -> None:
    with_superuser(central, fault.format(card.central))
    shown = said(card)
    with_superuser(central, mend.format(card.central))
    assert sentence.format(card.central) in shown
    assert "Next: ask your instructor whether the central runs, or for a new card" in shown


@pytest.mark.parametrize(("minutes", "off"), [(5, "ahead of"), (-5, "behind")])
def test_a_wrong_clock(card: Card, monkeypatch: pytest.MonkeyPatch, minutes: int, off: str) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:
            return datetime.now(tz) + timedelta(minutes=minutes)

    monkeypatch.setattr(join, "datetime", Clock)
    shown = said(card)
    assert f"This machine's clock is 300 s {off} the central's: " in shown
    assert "Next: let this computer set its clock by itself" in shown


def test_a_card_that_another_machine_uses(card: Card) -> None:
    with relay(card.database_port, "127.0.0.2") as port:
        url = replace(card, host="127.0.0.1", database_port=port).database.url.replace("+psycopg", "")
        with psycopg.connect(url):
            shown = said(card)
    assert "Another machine works with this card already, at 127.0.0.2." in shown
    assert "Next: if the card is not yours, ask for another." in shown


@contextmanager
def relay(port: int, source: str) -> Iterator[int]:
    """Yield a port that leads to another, as seen from another address."""

    def pass_on(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):  # both are closed at the end
            while data := one.recv(65536):
                other.sendall(data)

    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:

        def serve() -> None:
            here = stack.enter_context(server.accept()[0])
            there = stack.enter_context(socket.create_connection(("127.0.0.1", port), 5, (source, 0)))
            Thread(target=pass_on, args=(there, here), daemon=True).start()
            pass_on(here, there)

        Thread(target=serve, daemon=True).start()
        yield server.getsockname()[1]


def test_without_services(monkeypatch: pytest.MonkeyPatch, card: Card) -> None:
    monkeypatch.undo()
    monkeypatch.setenv("WORKSHOP_STATE", str(state_folder.state_dir() / "empty"))
    lines: list[str] = []
    assert not join.join(card.code, say=lines.append)
    assert lines == ["Not joined. The services are not running. Next: workshop up"]
