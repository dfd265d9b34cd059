"""Machines that joined a central share its work; one whose cable is cut costs nothing, and comes back.

As root each is a network namespace with a cable; else the same without the cut.
"""

import time
from collections.abc import Iterator

import pytest

from backstage.classroom import fill
from tests.classroom.class_of import Class, class_of
from tests.conftest import wait_for

TASKS = 600

pytestmark = pytest.mark.nightly


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Iterator[Class]:
    with class_of(2, tmp_path_factory.mktemp("class"), pace=20) as room:
        yield room


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
    assert (found.open, found.forged, found.strangers, found.dead) == (set(), {}, {}, {})
    assert found.rows == found.fed == sum(room.shares().values())
    assert room.twice() == 0
    shares = room.shares()
    assert shares.keys() == {card.machine for card in room.cards}
    assert min(shares.values()) > 20
