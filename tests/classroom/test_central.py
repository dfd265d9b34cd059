"""A central opens for other machines on two ports, tells their cards, and leaves nothing open behind."""

import json
import os
import re
import signal
import socket
import stat
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest

from backstage.classroom import central
from backstage.classroom.card import Card, read_code
from backstage.stack.central_config import CentralConfig
from backstage.stack.http import ask_rabbitmq
from backstage.stack.status import running
from tests.classroom.opened import Central, broker, database, lan, settled
from tests.conftest import wait_for
from tests.integration.machine import Machine, command_line, manage
from workshop import state_folder
from workshop.errors import WorkshopError


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with lan() as address:
        yield address


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Machine]:
    with settled(tmp_path) as machine:
        yield machine


def listening(machine: Machine) -> dict[str, set[str]]:
    """Return the addresses at which each program of a stack listens, by its name in ``stack.json``."""
    programs = {process.pid: command_line(process) for process in machine.processes()}
    names = {port: name for name, port in (running() or {"ports": {}})["ports"].items()}
    found: dict[str, set[str]] = {}
    for each in psutil.net_connections("inet"):
        # Erlang asks the system for its network by a UDP socket at some port; others mark ports as taken.
        harmless = each.laddr.ip == "127.0.0.1" or each.laddr.port >= 32768
        if each.type == socket.SOCK_DGRAM and harmless:
            continue
        if each.pid in programs and each.status in (psutil.CONN_LISTEN, psutil.CONN_NONE):
            unknown = f"{each.type.name} {each.laddr.port} of {programs[each.pid]}"
            found.setdefault(names.get(each.laddr.port, unknown), set()).add(each.laddr.ip)
    return found


def until_listening(machine: Machine, address: str) -> None:
    """Wait until only the broker and the database listen at the address, and Flower; and the rest here."""
    inside, both = {"127.0.0.1"}, {"127.0.0.1", address}
    meant = {"rabbitmq": both, "postgis": both, "management": inside}
    meant |= {} if both == inside else {"flower": {address}}

    def found() -> dict[str, set[str]]:
        return listening(machine)

    wait_for(lambda: found() == meant, 5, f"{meant} instead of {found()}")  # a look-up of a name takes a port


def test_a_central_opens_for_two_and_tells_their_cards(own: Machine, address: str) -> None:
    """Where nothing runs, its servers are started."""
    assert listening(own) == {}
    assert "No central is open" in own.workshop("class", "cards", code=3)
    assert "no IPv4 address of this machine" in own.workshop("class", "start", "--address", "0.0.0.0", code=2)
    assert CentralConfig.read() is None
    shown = own.workshop("class", "start", "--machines", "2", "--address", address, "--flower")
    until_listening(own, address)
    assert b'"listeners"' in ask_rabbitmq(central.site(), "/api/overview")  # odd options would end it
    told = own.workshop("class", "cards", "--show")
    codes = re.findall(r"^(machine\d+) +([0-9A-Z-]{47})$", told, re.MULTILINE)
    cards = central.cards()
    assert not any(card.code in shown or card.password in shown for card in cards)
    assert codes == [(card.machine, card.code) for card in cards]
    assert [read_code(code) for _, code in codes] == cards
    page = state_folder.ROOT / f"cards-{cards[0].central}.html"
    assert str(page) in shown and stat.S_IMODE(page.stat().st_mode) == 0o600
    assert central.site().token not in shown + page.read_text()
    assert own.workshop("class", "cards") in shown
    assert "stop" in own.workshop("class", "start", "--address", "127.0.0.1", code=3)
    takes_more_in(own, address, cards)
    survives_a_crash(own, address, central.cards())
    is_emptied(own)
    ends_with_its_cards(own, central.cards()[0])
    the_next_one_has_its_rows_and_other_accounts(own, address, cards[0])
    stopped_it_is_closed(own, address)


def takes_more_in(own: Machine, address: str, first: list[Card]) -> None:
    assert central.start(2, address, flower=True) == first
    more = central.start(60, address, flower=True)
    assert more[:2] == first and len({card.password for card in more}) == 60
    with broker(more[59]), database(more[59]) as connection:
        log = "INSERT INTO task_log (task_id, state, attempt, error, worker) "
        connection.execute(f"{log} VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")
    if address != "127.0.0.1":
        assert f"A class is open at {address}" in own.workshop("down", "--purge", code=3)


def survives_a_crash(own: Machine, address: str, cards: list[Card]) -> None:
    """The cards are as good as before."""
    os.kill(own.stack()["pid"], signal.SIGKILL)
    wait_for(lambda: running() is None, what="a killed supervisor")
    with pytest.raises(WorkshopError):
        central.cards()
    assert central.start(60, address, flower=True) == cards
    with broker(cards[0]), database(cards[0]):
        pass


def is_emptied(own: Machine) -> None:
    its = Central(own.state)
    assert "1 log lines" in own.workshop("class", "clear", code=2)
    assert its.sql("SELECT count(*) FROM geopython.task_log") == [(1,)]
    own.workshop("class", "clear", "--yes")
    assert its.sql("SELECT count(*) FROM geopython.task_log") == [(0,)]


def accounts(own: Machine, id: str) -> set[str]:
    """Return the accounts of a central at the broker and at the database."""
    users = {each["name"] for each in json.loads(manage(own, "GET", "users"))}
    roles = own.sql("SELECT rolname FROM pg_roles WHERE starts_with(rolname, %s)", f"{id}-")
    assert {name for (name,) in roles} == users - {"celery_user"}
    return users - {"celery_user"}


def ends_with_its_cards(own: Machine, card: Card) -> None:
    """When its hours are over, it is closed to other machines by itself."""
    its = Central(own.state)
    until = its.sql("SELECT rolvaliduntil FROM pg_roles WHERE rolname = %s", card.account)
    assert until == [(card.until,)]
    its.sql("INSERT INTO task_log (task_id, state, attempt, error, worker) "
            "VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")  # fmt: skip
    now = CentralConfig.read()
    assert now and not now.expired
    before = own.service("rabbitmq")["pid"]
    replace(now, until=datetime.now(UTC) - timedelta(minutes=1)).write()
    if card.host != "127.0.0.1":
        own.until_again("rabbitmq", before)
        until_listening(own, "127.0.0.1")
        assert accounts(own, card.central) == set()


def the_next_one_has_its_rows_and_other_accounts(own: Machine, address: str, before: Card) -> None:
    its, after = Central(own.state), central.start(1, address)[0]
    assert after.password != before.password
    assert its.sql("SELECT count(*) FROM geopython.task_log") == [(1,)]
    assert accounts(own, after.central) == {after.account}
    for card in (replace(after, password=before.password), replace(after, number=2)):
        with pytest.raises(psycopg.OperationalError, match="authentication failed|no pg_hba.conf entry"):
            database(card)
        with pytest.raises(Exception, match="ACCESS_REFUSED"), broker(card):
            pass


def stopped_it_is_closed(own: Machine, address: str) -> None:
    """Of what was secret nothing is left; the squares are. This machine's own services run on."""
    (card,) = central.cards()
    assert "The central is closed" in own.workshop("class", "stop")
    until_listening(own, "127.0.0.1")
    assert accounts(own, card.central) == set()
    hosts = {each["name"] for each in json.loads(manage(own, "GET", "vhosts"))}
    assert hosts == {"celery_app"}
    assert card.password not in (own.state / "central.json").read_text()
    assert not (state_folder.ROOT / f"cards-{card.central}.html").exists()
    assert Central(own.state).sql("SELECT count(*) FROM geopython.task_log") == [(1,)]
    assert "No central is open" in own.workshop("class", "stop")
    if address != "127.0.0.1":
        asked = own.workshop("class", "start", "--address", address, code=2)
        assert "RabbitMQ and PostGIS start anew" in asked and "the same with --yes" in asked
