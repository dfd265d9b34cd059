"""Messages that are no tasks: what anyone with a login can put on the queue."""

import json
import pickle
from typing import Any
from uuid import uuid4

from kombu import Connection

from workshop.delivery.configuration import ROUTING_KEY, TASKS

NAME = "workshop.tasks.do_task"
POINT = [325_200, 673_500]
NOTHING: dict[str, Any] = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}


def headers(**changes: Any) -> dict[str, Any]:
    """Return the headers of a good task, changed; ``...`` takes one away."""
    good = {"lang": "py", "task": NAME, "id": str(uuid4()), "retries": 0, "timelimit": [None, None]}
    return {name: value for name, value in (good | changes).items() if value is not ...}


def body(args: Any = POINT, kwargs: Any = None, **embedded: Any) -> bytes:
    return json.dumps([args, kwargs or {}, NOTHING | embedded]).encode()


def message(body: bytes = body(), content: str = "application/json", encoding: str = "utf-8", **changes: Any):
    return {
        "body": body,
        "content_type": content,
        "content_encoding": encoding,
        "headers": headers(**changes),
    }


def publish(url: str, *messages: dict[str, Any]) -> None:
    """Put raw messages on the queue of tasks."""
    with Connection(url, transport_options={"confirm_publish": True}) as connection:
        producer = connection.Producer()
        for each in messages:
            producer.publish(**each, exchange=TASKS.name, routing_key=ROUTING_KEY, delivery_mode=2)


DEEP = b"[" * 20_000 + b"]" * 20_000

MALFORMED: dict[str, tuple[str, dict[str, Any]]] = {
    # The four that end a worker of Celery 5.7
    "a number as body": ("BODY", message(b"42")),
    "two parts instead of three": ("BODY", message(b"[[1, 2], {}]")),
    "no id": ("NO-ID", message(id=...)),
    "letters as time limits": ("UNREADABLE", message(timelimit=["a", "b"])),
    # What it is about
    "no name": ("NO-TASK", message(task=...)),
    "a number as name": ("HEADER", message(task=5)),
    "an unknown name": ("UNKNOWN-TASK", message(task="workshop.tasks.no_such_task")),
    "Celery's own map": ("UNKNOWN-TASK", message(task="celery.map")),
    "an id that is no UUID": ("UNREADABLE", message(id="1")),
    "a number as id": ("UNREADABLE", message(id=7)),
    # When and how often
    "an ETA in the year 9999": ("HEADER", message(eta="9999-12-31T23:59:59")),
    "a number as ETA": ("UNREADABLE", message(eta=5)),
    "a number as expiry": ("UNREADABLE", message(expires=5)),
    "retries below zero": ("HEADER", message(retries=-1)),
    "retries beyond all measure": ("HEADER", message(retries=10**9)),
    "retries that are nothing": ("HEADER", message(retries=None)),
    "retries that are true": ("HEADER", message(retries=True)),
    "letters as known errors": ("HEADER", message(known_errors="many")),
    "one time limit": ("HEADER", message(timelimit=[5])),
    "a time limit below zero": ("HEADER", message(timelimit=[-1, -1])),
    # What else it carries
    "a chain": ("EMBEDDED", message(body(chain=[{"task": NAME, "args": POINT}]))),
    "a header that replaces the arguments": ("HEADER", message(args=[1, 2])),
    "stamps": ("HEADER", message(stamps={"a": 1})),
    # How it is written
    "pickle": (
        "NOT-JSON",
        message(pickle.dumps([POINT, {}, NOTHING]), "application/x-python-serialize", "binary"),
    ),
    "an unknown encoding": ("NOT-JSON", message(encoding="klingon")),
    "half a body": ("UNREADABLE", message(body()[:-5])),
    "a body nested 20,000 deep": ("UNREADABLE", message(DEEP)),
    "a megabyte": ("TOO-LARGE", message(body([1, "x" * 1_000_000]))),
    "a packed body": ("COMPRESSED", message(compression="application/x-gzip")),
    "arguments that are no list": ("BODY", message(body("xy"))),
    "a list of arguments by name": ("BODY", message(json.dumps([[], [], NOTHING]).encode())),
    "an empty body": ("BODY", message(b"")),
}
"""What is wrong, the code with which it is refused, and the message."""
