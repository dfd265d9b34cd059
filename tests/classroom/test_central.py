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
from backstage.stack.central_config import CentralConfig, central_folder
from backstage.stack.http import ask_rabbitmq
from backstage.stack.status import CENTRAL, running
from tests.classroom.opened import broker, database, lan, settled
from tests.conftest import wait_for
from tests.integration.machine import Machine, command_line
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
    """Return the addresses at which each program of the central listens, by its name in ``stack.json``."""
    its = Machine(machine.state / "central")
    programs = {process.pid: command_line(process) for process in its.processes()}
    names = {port: name for name, port in (running(CENTRAL) or {"ports": {}})["ports"].items()}
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


def until_closed(machine: Machine) -> None:
    wait_for(lambda: not Machine(machine.state / "central").processes(), 20, "an end of all programs")
    assert listening(machine) == {}


def test_a_central_opens_for_two_and_tells_their_cards(own: Machine, address: str) -> None:
    """Only the broker and the database listen at the address; Flower, too, if it is wished."""
    assert listening(own) == {}
    assert "No central runs" in own.workshop("class", "cards", code=3)
    assert "no IPv4 address of this machine" in own.workshop("class", "start", "--address", "0.0.0.0", code=2)
    assert not (own.state / "central").exists()
    shown = own.workshop("class", "start", "--machines", "2", "--address", address, "--flower")
    inside, both = {"127.0.0.1"}, {"127.0.0.1", address}
    meant = {
        "rabbitmq": both, "postgis": both, "flower": {address}, "management": inside, "erlang": inside,
    }  # fmt: skip
    own_way = "epmd"  # 127.0.0.1, and ::1 where there is one

    def found() -> dict[str, set[str]]:
        return {name: at for name, at in listening(own).items() if name != own_way}

    wait_for(lambda: found() == meant, 5, f"{meant} instead of {found()}")  # a look-up of a name takes a port
    assert b'"listeners"' in ask_rabbitmq(central.site(), "/api/overview")  # odd options would end it
    told = own.workshop("class", "cards", "--show")
    codes = re.findall(r"^(machine\d+) +([0-9A-Z-]{47})$", told, re.MULTILINE)
    cards = central.cards()
    assert not any(card.code in shown or card.password in shown for card in cards)
    assert codes == [(card.machine, card.code) for card in cards]
    assert [read_code(code) for _, code in codes] == cards
    page = own.state / "central" / "cards.html"
    assert str(page) in shown and stat.S_IMODE(page.stat().st_mode) == 0o600
    assert central.site().token not in shown + page.read_text()
    assert own.workshop("class", "cards") == shown.partition("\n")[2]
    assert "stop" in own.workshop("class", "start", "--address", "127.0.0.1", code=3)
    lives_on_and_takes_more_in(own, address, cards)
    survives_a_crash(own, address, central.cards())
    is_emptied(own)
    ends_with_its_cards(own, central.cards()[0])
    the_next_one_has_its_rows_and_other_accounts(own, address, cards[0])
    stopped_it_is_closed(own)


def lives_on_and_takes_more_in(own: Machine, address: str, first: list[Card]) -> None:
    """This machine's own services are another matter."""
    assert central.start(2, address, flower=True) == first
    more = central.start(4, address, flower=True)
    assert more[:2] == first and len({card.password for card in more}) == 4
    with broker(more[3]), database(more[3]) as connection:
        log = "INSERT INTO task_log (task_id, state, attempt, error, worker) "
        connection.execute(f"{log} VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")
    with pytest.raises(WorkshopError, match="room for 49 machines, not 50"):
        central.start(50, address, flower=True)
    assert "still runs" in own.workshop("down")
    assert "Left there: central (the state folder of a central)" in own.workshop("down", "--purge")
    assert central.cards() == more


def survives_a_crash(own: Machine, address: str, cards: list[Card]) -> None:
    """The cards are as good as before."""
    os.kill(Machine(own.state / "central").stack()["pid"], signal.SIGKILL)
    wait_for(lambda: running(CENTRAL) is None, what="a killed central")
    with pytest.raises(WorkshopError):
        central.cards()
    assert central.start(4, address) == cards
    with broker(cards[0]), database(cards[0]):
        pass


def is_emptied(own: Machine) -> None:
    its = Machine(own.state / "central")
    assert "1 log lines" in own.workshop("class", "clear", code=2)
    assert its.sql("SELECT count(*) FROM task_log") == [(1,)]
    own.workshop("class", "clear", "--yes")
    assert its.sql("SELECT count(*) FROM task_log") == [(0,)]


def ends_with_its_cards(own: Machine, card: Card) -> None:
    """When its hours are over, a central closes by itself."""
    its = Machine(own.state / "central")
    assert its.sql("SELECT rolvaliduntil FROM pg_roles WHERE rolname = 'machine01'") == [(card.until,)]
    its.sql("INSERT INTO task_log (task_id, state, attempt, error, worker) "
            "VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")  # fmt: skip
    now = CentralConfig.read(central_folder())
    assert now and not now.expired
    past = replace(now, until=datetime.now(UTC) - timedelta(minutes=1))
    (central_folder() / "central.json").write_text(json.dumps(past.as_json()))
    wait_for(lambda: running(CENTRAL) is None, 40, "an end of the central")
    until_closed(own)
    assert "The cards have ended" in (central_folder() / "stack.log").read_text()


def the_next_one_has_its_rows_and_other_accounts(own: Machine, address: str, before: Card) -> None:
    its, after = Machine(own.state / "central"), central.start(1, address)[0]
    assert after.password != before.password
    assert its.sql("SELECT count(*) FROM task_log") == [(1,)]
    roles = its.sql("SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'machine') ORDER BY 1")
    assert roles == [("machine01",), ("machines",)]
    for card in (replace(after, password=before.password), replace(after, number=2)):
        with pytest.raises(psycopg.OperationalError, match="authentication failed|no pg_hba.conf entry"):
            database(card)
        with pytest.raises(Exception, match="ACCESS_REFUSED"), broker(card):
            pass


def stopped_it_is_closed(own: Machine) -> None:
    """Of what was secret nothing is left; the squares are."""
    assert "The central is closed" in own.workshop("class", "stop")
    until_closed(own)
    left = {path.name for path in central_folder().iterdir()}
    assert not left & {"token.json", "central.json", "cards.html", "rabbitmq"} and "postgis" in left
    assert "No central runs" in own.workshop("class", "stop")
