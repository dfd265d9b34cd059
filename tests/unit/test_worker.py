"""What a worker sets when it starts: it depends on where it works, and on who listens."""

from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import celery.worker.consumer
import pytest

from workshop import state_folder
from workshop.delivery import answering, publisher, worker


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.delenv("WORKSHOP_PUBLISHED", raising=False)
    monkeypatch.setattr("workshop.database.keep_database", lambda: None)
    monkeypatch.setattr(publisher, "BURST", 0.02)


def begun() -> SimpleNamespace:
    """Return Celery's configuration as a worker that starts now sets it."""
    conf = SimpleNamespace(broker_heartbeat=None)
    answering._begin(conf)
    return conf


def test_it_waits_for_each_message_that_it_sends() -> None:
    begun()
    assert publisher.BURST == 0


def test_without_flower_nobody_listens_to_events() -> None:
    assert not begun().worker_send_task_events
    state_folder.write("stack.json", {"services": {"flower": {"state": "waiting"}}})
    assert begun().worker_send_task_events


def test_in_containers_there_always_is_flower(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "flower=5555")
    assert begun().worker_send_task_events


def test_at_a_central_it_is_watched_and_takes_no_orders() -> None:
    at_home = begun()
    assert (at_home.worker_enable_remote_control, at_home.broker_heartbeat) == (True, None)
    state_folder.write("joined.json", {"broker_url": "amqp://machine07:hidden@10.77.0.1:5672/c7f3"})
    joined = begun()
    assert joined.worker_send_task_events
    assert (joined.worker_enable_remote_control, joined.broker_heartbeat) == (False, 5)


@pytest.fixture
def consumer() -> worker.Consumer:
    """Return a consumer whose event loop and events only take note."""
    found = worker.Consumer.__new__(worker.Consumer)
    found.hub, found.event_dispatcher, found.blueprint = Mock(), Mock(), Mock()
    found.perform_pending_operations = Mock()
    return found


def test_events_wait_for_others(consumer: worker.Consumer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(celery.worker.consumer.Consumer, "create_task_handler", Mock())
    consumer.task_consumer, consumer.qos = Mock(), Mock()
    consumer.on_send_event_buffered()
    assert not consumer.hub.mock_calls and not consumer.event_dispatcher.mock_calls
    consumer.create_task_handler()
    consumer.hub.call_repeatedly.assert_called_once_with(worker.EVENTS_WAIT, consumer._flush_events)


def test_the_last_events_are_sent_before_it_ends(consumer: worker.Consumer) -> None:
    consumer.on_send_event_buffered()
    consumer.shutdown()
    consumer.event_dispatcher.flush.assert_called_once()
