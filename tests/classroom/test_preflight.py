"""At a central's door each fault is met for real, and has its own sentence; nothing is changed by it."""

import os
import re
import shutil
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from backstage.classroom import join, needs, network
from backstage.classroom.card import Card
from backstage.stack import rabbitmq
from tests.classroom.cables import cables
from tests.classroom.guests import RIGHTS, with_superuser
from tests.classroom.opened import beyond
from tests.conftest import wait_for
from tests.integration.machine import Machine, manage
from workshop import state_folder


@pytest.fixture
def card(cards: list[Card]) -> Card:
    return cards[6]


@pytest.fixture(autouse=True)
def guest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose services are taken for running: none of these tests gets as far as its worker."""
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.setattr(join, "require_workers", lambda: None)
    monkeypatch.setattr(join, "_go", lambda *_: True)


def said(card: Card, code: str | None = None) -> str:
    """Try to join with the code of a card; return what was said."""
    lines: list[str] = []
    joined = join.join(code or card.code, say=lines.append)
    shown = "\n".join(lines)
    print(shown)
    note = (state_folder.state_dir() / "join.json").read_text()
    assert card.password not in shown + note
    assert joined is (not lines)
    if not joined:
        assert state_folder.read("join.json")["failed"]["next_step"] in shown
        assert not state_folder.read("joined.json")
    return shown


def test_a_good_card_is_let_in(card: Card) -> None:
    assert said(card) == ""


def test_a_mistyped_code(card: Card) -> None:
    wrong = card.code[:-1] + ("A" if card.code[-1] != "A" else "B")
    assert "There is a typing mistake in this code" in said(card, wrong)
    assert "This one has 35." in said(card, card.code[6:])


def test_an_expired_card(card: Card) -> None:
    ended = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    shown = said(replace(card, until=ended))
    assert (
        f"The card of machine07 ended on {ended.astimezone():%d %B %Y, %H:%M}; this machine's clock" in shown
    )
    assert "ask for a new card" in shown


def test_the_central_has_ended(card: Card) -> None:
    with socket.create_server((card.host, 0)) as closed:
        port = closed.getsockname()[1]
    shown = said(replace(card, broker_port=port, database_port=port))
    assert f"Nothing listens at the broker's port {port} on {card.host}.\nNext: ask your instructor" in shown


def test_one_port_is_blocked(card: Card) -> None:
    with full_backlog(card.host) as port:
        shown = said(replace(card, database_port=port))
    assert f'The database\'s host "{card.host}" does not answer at port {port} within 3 s.' in shown
    assert "The other port there answers, so a firewall on the central's machine shuts this one." in shown


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
    found = re.search(r"Both are in the network (\S+), so this Wi-Fi seems to keep its machines apart", shown)
    assert found and ip_address(address) in ip_network(found[1])
    assert "Next: work together at a neighbour's machine, or ask for another network" in shown


@pytest.mark.nightly
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("ip"), reason="needs root and the command ip")
def test_a_machine_that_is_not_there(card: Card) -> None:
    """Its address is in a network with this one."""
    with cables(1) as net:
        assert net
        is_told_apart(net.address_of(2), said(replace(card, host=net.address_of(2))))


def test_an_old_password(card: Card) -> None:
    shown = said(replace(card, password="0" * 16))
    assert 'RabbitMQ refuses the user "machine07" with this password.\nNext: ask your instructor for' in shown


def test_no_virtual_host(central: Machine, card: Card) -> None:
    path = "permissions/celery_app/machine07"
    manage(central, "DELETE", path)
    shown = said(card)
    manage(central, "PUT", path, RIGHTS)
    assert 'RabbitMQ has no virtual host "celery_app", or not for user "machine07".' in shown


def test_no_more_connections_to_the_broker(central: Machine, card: Card) -> None:
    manage(central, "PUT", "user-limits/machine07/max-connections", {"value": 0})
    assert 'RabbitMQ lets no more connections in for the user "machine07".\nNext: end other' in said(card)
    manage(central, "PUT", "user-limits/machine07/max-connections", {"value": 40})


def test_no_queue(central: Machine, card: Card) -> None:
    manage(central, "DELETE", "queues/celery_app/squares")
    shown = said(card)
    rabbitmq.declare(central.stack()["broker_url"])
    assert 'RabbitMQ has no queue "squares", where the tasks would wait.\nNext: ask your' in shown


def test_another_password_at_the_database(central: Machine, card: Card) -> None:
    with_superuser(central, "ALTER ROLE machine07 PASSWORD 'another'")
    assert 'PostgreSQL refuses the user "machine07" with this password.' in said(card)
    with_superuser(central, f"ALTER ROLE machine07 PASSWORD '{card.password}'")


def test_the_role_has_no_connection_left(central: Machine, card: Card) -> None:
    with_superuser(central, "ALTER ROLE machine07 CONNECTION LIMIT 1")
    with psycopg.connect(card.database.url.replace("+psycopg", "")):
        shown = said(card)
    with_superuser(central, "ALTER ROLE machine07 CONNECTION LIMIT 20")
    assert 'PostgreSQL lets no more connections in for the user "machine07": too many connections' in shown
    wait_for(lambda: said(card) == "", 10, "the room that the other connection left")


def test_the_database_has_no_connection_left(central: Machine, card: Card) -> None:
    with_superuser(central, 'ALTER DATABASE "geopython-db" CONNECTION LIMIT 0')
    shown = said(card)
    with_superuser(central, 'ALTER DATABASE "geopython-db" CONNECTION LIMIT -1')
    assert "PostgreSQL lets no more connections in at all: too many connections for database" in shown


@pytest.mark.parametrize(
    ("fault", "mend", "sentence"),
    [
        (
            "ALTER TABLE geopython.task_log RENAME TO log",
            "ALTER TABLE geopython.log RENAME TO task_log",
            'The database "geopython-db" has no table geopython.task_log.',
        ),
        (
            "REVOKE USAGE ON SCHEMA geopython FROM machines",
            "GRANT USAGE ON SCHEMA geopython TO machines",
            'may not look into the schema geopython of the database "geopython-db".',
        ),
        (
            "REVOKE SELECT ON geopython.uk_boundary FROM machines",
            "GRANT SELECT ON geopython.uk_boundary TO machines",
            'The user "machine07" has no right to SELECT in geopython.uk_boundary.',
        ),
    ],
    ids=["no table", "no schema", "no right"],
)
def test_a_database_that_is_not_ready(
    central: Machine, card: Card, fault: str, mend: str, sentence: str
) -> None:
    with_superuser(central, fault)
    shown = said(card)
    with_superuser(central, mend)
    assert sentence in shown
    assert "Next: ask your instructor whether the central runs and is ready" in shown


@pytest.mark.parametrize(("minutes", "off"), [(5, "ahead of"), (-5, "behind")])
def test_a_wrong_clock(card: Card, monkeypatch: pytest.MonkeyPatch, minutes: int, off: str) -> None:
    monkeypatch.setattr(needs, "now", lambda: datetime.now(UTC) + timedelta(minutes=minutes))
    shown = said(card)
    assert f"This machine's clock is 300 s {off} the central's: " in shown
    assert "Next: let this computer set its clock by itself" in shown


def test_a_card_that_another_machine_uses(card: Card) -> None:
    with relay(card.database_port, "127.0.0.2") as port:
        url = replace(card, host="127.0.0.1", database_port=port).database.url.replace("+psycopg", "")
        with psycopg.connect(url):
            shown = said(card)
    assert 'Another machine works with the card of "machine07" already, at 127.0.0.2.' in shown
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


CLOUDS: dict[str, tuple[dict[str, str], str]] = {
    "Binder": (
        {"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/", "BINDER_LAUNCH_HOST": "https://mybinder.org/"},
        "This course runs on Binder, far away",
    ),
    "a hub": ({"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}, "This course runs on a JupyterHub, far away"),
    "Codespaces": ({"CODESPACES": "true", "CODESPACE_NAME": "fuzzy"}, "This course runs in a codespace"),
    "containers": ({"WORKSHOP_PUBLISHED": "lab=8888"}, "This course runs in containers. Perhaps"),
    "elsewhere": ({}, "This machine is in another network: "),
}


@pytest.mark.parametrize("name", CLOUDS)
def test_where_this_runs_is_recognised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    environment, why = CLOUDS[name]
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    found, step = network.explain("203.0.113.9")
    assert found.startswith(why)
    alone = "workshop scale 3" if name == "containers" else 'CODE = ""'
    assert "a neighbour's machine" in step and alone in step


def test_loopback_in_a_container_is_the_container(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8888")
    assert "127.0.0.1 is this container itself" in network.explain("127.0.0.1")[0]
