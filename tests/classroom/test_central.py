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

from tests.classroom.opened import broker, database, lan, settled
from tests.conftest import wait_for
from tests.integration.machine import Machine, command_line
from workshop.classroom import central
from workshop.classroom.card import Card, read_code
from workshop.stack import management
from workshop.stack.condition import StartFailed
from workshop.stack.ending import central_folder
from workshop.stack.opening import opening
from workshop.stack.running import CENTRAL, NotRunning, running


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


def test_what_listens_before_during_and_after(own: Machine, address: str) -> None:
    """Only the broker and the database at the address; Flower, too, if it is wished."""
    assert listening(own) == {}
    assert "No central runs" in own.workshop("central", "cards", code=1)
    assert "no IPv4 address of this machine" in own.workshop("central", "--address", "0.0.0.0", code=1)
    assert not (own.state / "central").exists()
    shown = own.workshop("central", "--machines", "2", "--address", address, "--flower")
    inside, both = {"127.0.0.1"}, {"127.0.0.1", address}
    meant = {
        "rabbitmq": both, "postgis": both, "flower": {address}, "management": inside, "erlang": inside,
    }  # fmt: skip
    own_way = "epmd"  # 127.0.0.1, and ::1 where there is one

    def found() -> dict[str, set[str]]:
        return {name: at for name, at in listening(own).items() if name != own_way}

    wait_for(lambda: found() == meant, 5, f"{meant} instead of {found()}")  # a look-up of a name takes a port
    assert b'"listeners"' in management.ask(central.site(), "/api/overview")  # odd options would end it
    codes = re.findall(r"^(machine\d+) +([0-9A-Z-]{47})$", shown, re.MULTILINE)
    cards = central.cards()
    assert codes == [(card.machine, card.code) for card in cards]
    assert [read_code(code) for _, code in codes] == cards
    page = own.state / "central" / "cards.html"
    assert str(page) in shown and stat.S_IMODE(page.stat().st_mode) == 0o600
    assert central.site().token not in shown + page.read_text()
    assert own.workshop("central", "cards") == shown.partition("\n")[2]
    assert "stop" in own.workshop("central", "--address", "127.0.0.1", code=1)
    own.workshop("central", "stop")
    until_closed(own)
    assert not page.exists()
    assert "No central runs" in own.workshop("central", "stop")


def test_a_central_lives_on_takes_more_in_and_forgets_its_machines(own: Machine, address: str) -> None:
    first = central.start(2, address)
    assert central.start(2, address) == first
    more = central.start(4, address)
    assert more[:2] == first and len({card.password for card in more}) == 4
    with broker(more[3]), database(more[3]) as connection:
        log = "INSERT INTO task_log (task_id, state, attempt, error, worker) "
        connection.execute(f"{log} VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")
    with pytest.raises(StartFailed, match="room for 49 machines, not 50"):
        central.start(50, address)

    # This machine's own services are another matter.
    assert "still runs" in own.workshop("down")
    assert "holds central" in own.workshop("down", "--purge")
    assert central.cards() == more

    # After a crash the cards are as good as before.
    its = Machine(own.state / "central")
    processes = its.processes()
    os.kill(its.stack()["pid"], signal.SIGKILL)
    wait_for(lambda: running(CENTRAL) is None, what="a killed central")
    with pytest.raises(NotRunning):
        central.cards()
    assert central.start(4, address) == more
    with broker(more[0]), database(more[0]):
        pass

    # It can be emptied.
    assert "1 log lines" in own.workshop("central", "clear", code=2)
    assert its.sql("SELECT count(*) FROM task_log") == [(1,)]
    own.workshop("central", "clear", "--yes")
    assert its.sql("SELECT count(*) FROM task_log") == [(0,)]
    its.sql("INSERT INTO task_log (task_id, state, attempt, error, worker) "
            "VALUES (gen_random_uuid(), 'RETRY', 1, '', 'me')")  # fmt: skip

    # Stopped, it is closed; the next one has its rows, and other passwords and accounts.
    token = central.site().token
    assert central.stop()
    its.until_gone(processes, 20)
    until_closed(own)
    after = central.start(1, address)[0]
    assert central.site().token != token
    assert after.password != more[0].password
    assert its.sql("SELECT count(*) FROM task_log") == [(1,)]
    roles = its.sql("SELECT rolname FROM pg_roles WHERE starts_with(rolname, 'machine') ORDER BY 1")
    assert roles == [("machine01",), ("machines",)]
    for card in (replace(after, password=more[0].password), replace(after, number=2)):
        with pytest.raises(psycopg.OperationalError, match="authentication failed|no pg_hba.conf entry"):
            database(card)
        with pytest.raises(Exception, match="ACCESS_REFUSED"), broker(card):
            pass
    ended(own, after)


def ended(own: Machine, card: Card) -> None:
    """When its hours are over, a central closes by itself; the next one has other passwords."""
    ends = Machine(own.state / "central").sql(
        "SELECT rolvaliduntil FROM pg_roles WHERE rolname = 'machine01'"
    )
    assert ends == [(card.until,)]
    now = opening(central_folder())
    assert now and not now.expired
    past = replace(now, until=datetime.now(UTC) - timedelta(minutes=1))
    (central_folder() / "central.json").write_text(json.dumps(past.as_json()))
    wait_for(lambda: running(CENTRAL) is None, 40, "an end of the central")
    until_closed(own)
    assert "The cards have ended" in (central_folder() / "stack.log").read_text()
    assert card.code not in own.workshop("central", "--machines", "1", "--address", card.host)


def test_a_central_at_home_ends_with_the_services_of_this_machine(own: Machine) -> None:
    """As a notebook starts it: on 127.0.0.1 only, and nothing is left of it."""
    own.workshop("up", "--detach", "rabbitmq")
    (card,) = central.start(1)
    found = listening(own)
    assert set().union(*found.values()) <= {"127.0.0.1", "::1"}
    assert card.host == "127.0.0.1"
    assert "still runs" not in own.workshop("down")
    until_closed(own)
    assert not (own.state / "central").exists()
