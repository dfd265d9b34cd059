"""What is open, and what RabbitMQ's answers make of it; a small broker gives those that a test wants."""

import os
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from amqp.exceptions import NotFound
from kombu.transport import pyamqp

from workshop.delivery import publisher, record, window
from workshop.delivery.publisher import NotSent, task_message
from workshop.delivery.window import Message, Window

URL = "amqp://a:b@127.0.0.1:1/c"


class Broker:
    """One connection with its channel: notes what is published, and says what `answers` holds, in order."""

    prepare_message = pyamqp.Channel.prepare_message

    def __init__(self, answers: deque[Any], said: list[str]) -> None:
        self.events: dict[str, set[Callable[..., None]]] = defaultdict(set)
        self.client_properties: dict[str, Any] = {"capabilities": {}}
        self.published: list[str] = []
        self._answers, self._said, self._busy = answers, said, threading.Lock()

    def channel(self) -> "Broker":
        return self

    def confirm_select(self) -> None:
        pass

    def collect(self) -> None:
        pass

    def basic_publish(self, message: Any, mandatory: bool, **_: Any) -> None:
        assert mandatory
        assert self._busy.acquire(blocking=False), "two threads at once"
        threading.Event().wait(0.001)
        self._busy.release()
        self.published.append(message.properties["correlation_id"])
        self._said.append(f"sent {self.published[-1]}")

    def drain_events(self, timeout: float) -> None:
        if not (timeout and self._answers):
            raise TimeoutError
        name, *values = self._answers.popleft()
        if name == "breaks":
            raise ConnectionResetError("it broke")
        if name == "closes":
            raise NotFound("no such exchange")
        for handler in self.events[f"basic_{name}"]:
            handler(*values)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what was recorded and sent, in order."""
    said: list[str] = []

    def append(line: dict[str, Any]) -> None:
        said.append(
            f"confirmed {' '.join(line['confirmed'])}" if "confirmed" in line else f"note {line.get('id')}"
        )

    monkeypatch.setattr(record, "append", append)
    monkeypatch.setattr(record, "note_unsent", lambda line, why: said.append(f"unsent {line['id']}"))
    return said


@pytest.fixture
def answers() -> deque[Any]:
    return deque()


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch, answers: deque[Any], said: list[str]) -> list[Broker]:
    """Return the connections that were opened, in order."""
    opened: list[Broker] = []

    def log_in(url: str, patience: float) -> Broker:
        opened.append(Broker(answers, said))
        return opened[-1]

    monkeypatch.setattr(window, "log_in", log_in)
    return opened


@pytest.fixture
def sender(connections: list[Broker], monkeypatch: pytest.MonkeyPatch) -> Window:
    """Return a window that no timer settles."""
    monkeypatch.setattr(threading.Timer, "start", lambda self: None)
    return Window()


def message(id: str) -> Message:
    sent = task_message(id, "workshop.tasks.do_task", (1, 2), recorded=False)
    return Message(id, sent.body, sent.options, {"id": id})


def burst(sender: Window, ids: str) -> None:
    for id in ids:
        assert not sender.send(message(id), URL, wait=False)


def told(lost: list[window.Lost]) -> dict[str, tuple[str, bool]]:
    return {each.id: (why, perhaps) for each, why, perhaps in lost}


def test_it_is_recorded_before_it_is_sent_and_once_it_is_confirmed(sender, answers, said) -> None:
    burst(sender, "abc")
    answers += [("ack", 2, True), ("ack", 3, False)]
    assert not sender.flush()
    assert said == ["note a", "sent a", "note b", "sent b", "note c", "sent c", "confirmed a b c"]


def test_what_can_not_be_recorded_is_not_sent(sender, connections, monkeypatch) -> None:
    def append(line: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(record, "append", append)
    lost = told(sender.send(message("a"), URL, wait=False))
    assert lost == {
        "a": ("The record of what is sent can't be written: [Errno 28] No space left on device.", False)
    }
    assert not connections[0].published


def test_what_is_refused_is_told_once_with_those_that_were_not_tried(sender, answers, said) -> None:
    burst(sender, "abc")
    answers += [("nack", 1, False), ("ack", 3, True)]
    lost = told(sender.flush())
    assert lost == {"a": ("RabbitMQ refuses the task: its queue is full.", False)}
    assert said[-2:] == ["unsent a", "confirmed b c"]
    assert not sender.flush()


def test_what_no_queue_takes_is_confirmed_and_yet_lost(sender, answers, said) -> None:
    burst(sender, "ab")
    returned = SimpleNamespace(properties={"correlation_id": "b"})
    answers += [("return", None, "tasks", "task.square", returned), ("ack", 2, True)]
    [(id, (why, perhaps))] = told(sender.flush()).items()
    assert (id, perhaps) == ("b", False) and 'no queue gets what is sent to "tasks"' in why
    assert said[-2:] == ["unsent b", "confirmed a"]


def test_what_is_open_when_its_connection_breaks_is_sent_once_more(
    sender, answers, connections, said
) -> None:
    """Over a fresh channel, which counts anew: an answer there is about what was sent there."""
    burst(sender, "abc")
    answers += [("ack", 1, False), ("breaks",), ("ack", 1, False), ("ack", 2, False)]
    assert not sender.flush()
    assert [each.published for each in connections] == [["a", "b", "c"], ["b", "c"]]
    assert said[-1] == "confirmed a b c"
    burst(sender, "d")
    answers += [("ack", 3, False)]
    assert not sender.flush()


def test_what_breaks_twice_may_be_there(sender, answers, connections) -> None:
    burst(sender, "a")
    answers += [("breaks",), ("breaks",)]
    assert told(sender.flush()) == {"a": ("The connection broke before RabbitMQ confirmed the task.", True)}
    assert [each.published for each in connections] == [["a"], ["a"]]


@pytest.mark.parametrize(("before", "perhaps", "tries"), [([], False, 1), ([("breaks",)], True, 2)])
def test_what_is_refused_is_lost_and_may_be_there_if_it_was_sent_before(
    before, perhaps, tries, sender, answers, connections
) -> None:
    burst(sender, "a")
    answers += [*before, ("closes",)]
    assert told(sender.flush()) == {
        "a": (f"RabbitMQ refuses the task: {NotFound('no such exchange')}.", perhaps)
    }
    assert [each.published for each in connections] == [["a"]] * tries


def test_it_waits_when_too_many_are_open(sender, answers, monkeypatch) -> None:
    monkeypatch.setattr(window, "MOST", 4)
    burst(sender, "abcd")
    answers += [("ack", 1, False), ("ack", 2, False), ("ack", 3, False), ("ack", 5, True)]
    burst(sender, "e")
    assert len(answers) == 1, "it went on with the half of them open"


def test_one_thread_at_a_time_publishes(sender, answers, connections) -> None:
    threads = [threading.Thread(target=burst, args=(sender, ids)) for ids in ("abcdefgh", "ijklmnop")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(connections[0].published) == sorted("abcdefghijklmnop")


def test_a_forked_child_has_a_window_of_its_own() -> None:
    parents = publisher._window
    if not (child := os.fork()):
        os._exit(int(publisher._window is parents or publisher.BURST != 0))
    assert os.waitpid(child, 0)[1] == 0


def test_sent_again_it_has_the_same_id(sender, answers, connections, monkeypatch) -> None:
    monkeypatch.setattr(publisher, "_window", sender)
    monkeypatch.setattr(publisher, "BURST", 0)
    monkeypatch.setenv("WORKSHOP_BROKER_URL", URL)
    answers += [("nack", 1, False)]
    with pytest.raises(NotSent) as error:
        publisher.send(message("a"))
    answers += [("ack", 2, False)]
    error.value.send_again()
    assert connections[0].published == ["a", "a"]


def test_a_cell_fails_whose_tasks_are_lost(sender, answers, monkeypatch) -> None:
    shown: list[Any] = []
    monkeypatch.setattr(publisher, "shell", SimpleNamespace(showtraceback=shown.append), raising=False)
    monkeypatch.setattr(publisher, "_window", sender)
    burst(sender, "a")
    answers += [("nack", 1, False)]
    result = SimpleNamespace(success=True, error_in_exec=None)
    publisher._end_cell(result)
    assert isinstance(result.error_in_exec, NotSent) and shown[0][1] is result.error_in_exec
