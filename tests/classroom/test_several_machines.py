"""Machines that joined a central share its work; one whose cable is cut costs nothing, and comes back.

As root each is a network namespace with a cable; else the same without the cut.
"""

import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from backstage.classroom import central, fill
from tests.classroom.class_of import Class, class_of
from tests.conftest import wait_for

TASKS = 600

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Iterator[Class]:
    with class_of(2, tmp_path_factory.mktemp("class"), pace=20) as room:
        yield room


OWN_ACCOUNTS = """
import amqp, psycopg, sys
host, broker, database, central, token = sys.argv[1:]
for name in ("celery_app", central):
    try:
        login = {"userid": "celery_user", "password": "secret", "login_method": "PLAIN"}
        amqp.Connection(f"{host}:{broker}", virtual_host=name, **login).connect()
        print("in")
    except amqp.exceptions.AccessRefused:
        print("refused")
for user, password in (("geopython", "geopython"), ("postgres", token)):
    for name in ("geopython-db", "postgres", central):
        try:
            psycopg.connect(host=host, port=database, user=user, password=password, dbname=name)
            print("in")
        except psycopg.OperationalError as error:
            print("refused" if "pg_hba.conf rejects" in str(error) else error)
"""


def test_own_accounts_are_refused_from_another_machine(room: Class):
    if not room.net:
        pytest.skip("only root can have other machines here")
    card, token = room.cards[0], central.site().token
    where = [card.host, str(card.broker_port), str(card.database_port), card.central, token]
    command = [*room.net.prefix(card.number), sys.executable, "-c", OWN_ACCOUNTS, *where]
    tried = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert tried.stdout.split("\n")[:-1] == ["refused"] * 8, tried


def test_they_share_the_work_and_a_cut_cable_costs_nothing(room: Class):
    goes = room.cards[-1]
    assert fill.fill("SCT", TASKS) == (TASKS, 82_830)
    wait_for(lambda: min(map(room.done_by, room.cards)) > 20, 60, "squares of both machines")
    if room.net:
        room.net.cut(goes.number)
        began = time.monotonic()
        wait_for(lambda: room.done() == TASKS, 120, "what the other machine had, done by this one")
        print(f"all done {time.monotonic() - began:.0f} s after the cut")
        room.net.heal(goes.number)
        began, before = time.monotonic(), room.done_by(goes)
        fill.fill("SCT", TASKS)
        wait_for(lambda: room.done_by(goes) > before, 60, "a square of the machine whose cable was cut")
        print(f"back {time.monotonic() - began:.0f} s after the cable was there again")
    found = room.balanced(120)
    assert (found.open, found.forged, found.strangers, found.dead) == ({}, {}, {}, {})
    assert found.rows.total() == found.fed == sum(room.shares().values())
    assert room.twice() == 0
    shares = room.shares()
    assert shares.keys() == {card.machine for card in room.cards}
    assert min(shares.values()) > 20
