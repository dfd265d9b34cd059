"""The record of publishes tells runs apart, and what was confirmed from what was not."""

import pytest

from workshop import machine
from workshop.delivery import record
from workshop.delivery.topology import ROUTING_KEY


@pytest.fixture(autouse=True)
def state(tmp_path, monkeypatch):
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    return machine.state_dir()


def send(id: str, name: str = "workshop.tasks.do_task", point=(1, 2), key: str = ROUTING_KEY) -> None:
    record._note_publish(body=[list(point), {}, {}], headers={"id": id, "task": name}, routing_key=key)


def confirm(id: str) -> None:
    record._note_confirm(headers={"id": id}, routing_key=ROUTING_KEY)


def test_nothing_was_sent():
    assert record.published() == []
    assert record.latest_run() == []


def test_a_task_is_unconfirmed_until_the_broker_says_so():
    send("a", point=(3, 4))
    assert [(task.id, task.point, task.confirmed) for task in record.published()] == [("a", [3, 4], False)]
    confirm("a")
    assert record.published()[0].confirmed


def test_the_same_id_sent_twice_is_one_task():
    send("a")
    send("a")
    assert len(record.published()) == 1


def test_the_latest_run_is_that_of_the_latest_cell(monkeypatch):
    for run, ids in (("cell-1", "ab"), ("cell-2", "cde")):
        monkeypatch.setattr(record, "this_run", lambda run=run: f"{record._process}-{run}")
        for id in ids:
            send(id)
    assert [task.id for task in record.latest_run()] == ["c", "d", "e"]


def test_another_process_does_not_hide_our_run(monkeypatch):
    send("ours")
    monkeypatch.setattr(record, "this_run", lambda: "somebody-else")
    send("theirs")
    assert [task.id for task in record.latest_run()] == ["ours"]


def test_other_queues_are_not_recorded():
    send("a", key="periodic")
    assert record.published() == []
