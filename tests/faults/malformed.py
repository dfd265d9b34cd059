"""Forty messages that no well-meaning program sends, the four first of which kill every worker of Celery 5.7.

Each differs from a good message in one thing. As many have no usable task id, they carry their number in a
header of their own, so that each can be found among the dead letters.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from kombu import Connection

NUMBER = "malformed"
"""The header that carries the number."""
_EMBED = {"callbacks": None, "errbacks": None, "chain": None, "chord": None}
_SIGNATURE = {"task": "workshop.tasks.do_task", "args": [1, 2], "kwargs": {}, "options": {}}


@dataclass(frozen=True)
class Shape:
    """One malformed message.

    Attributes
    ----------
    name : str
        What is wrong with it.
    body, content_type, content_encoding : str or bytes
        As sent.
    headers : dict
        Headers that replace those of a good message; ``...`` leaves one out.
    all_headers : bool
        False for a message without any headers.
    """

    name: str
    body: str | bytes = json.dumps([[1000, 2000], {}, _EMBED])
    headers: dict[str, Any] = field(default_factory=dict)
    all_headers: bool = True
    content_type: str = "application/json"
    content_encoding: str = "utf-8"


def _body(name: str, args: Any, kwargs: Any, embed: Any) -> Shape:
    return Shape(name, json.dumps([args, kwargs, embed]))


def _embedded(name: str, content: Any) -> Shape:
    return _body(f"embedded {name}", [1000, 2000], {}, _EMBED | {name: content})


KILLERS = [
    Shape("body 42", "42"),
    Shape("body of two parts", "[[1,2],{}]"),
    Shape("no id", headers={"id": ...}),
    Shape("time limits of text", headers={"timelimit": ["a", "b"]}),
]

SHAPES = [
    *KILLERS,
    Shape("no headers", all_headers=False),
    Shape("body null", "null"),
    Shape("body of text", '"do_task"'),
    Shape("body {}", "{}"),
    Shape("body []", "[]"),
    Shape("half a JSON", '[[1000, 2000], {"x'),
    Shape("not UTF-8", b'[[1000, 2000], {}, "\xff\xfe"]'),
    _body("arguments are a number", 5, {}, _EMBED),
    _body("keywords are a list", [1000, 2000], [1], _EMBED),
    _body("embedded part is a number", [1000, 2000], {}, 7),
    _body("one argument", [1000], {}, _EMBED),
    _body("unknown keyword", [1000, 2000], {"z": 1}, _EMBED),
    _body("arguments of text", ["1; DROP TABLE", "b"], {}, _EMBED),
    _body("x is null", [None, 2000], {}, _EMBED),
    Shape("x is NaN", '[[NaN, 2000], {}, {"callbacks": null}]'),
    Shape("id is no UUID", headers={"id": "abc"}),
    Shape("id is a number", headers={"id": 7}),
    Shape("retries below 0", headers={"retries": -1}),
    Shape("retries beyond all measure", headers={"retries": 1_000_000}),
    Shape("retries of text", headers={"retries": "many"}),
    Shape("ETA in the year 9999", headers={"eta": "9999-12-31T23:59:59+00:00"}),
    Shape("ETA is no time", headers={"eta": "soon"}),
    Shape("expires is no time", headers={"expires": "never"}),
    Shape("time limit is a number", headers={"timelimit": 5}),
    Shape("unknown task", headers={"task": "workshop.tasks.no_such_task"}),
    Shape("task is a number", headers={"task": 5}),
    Shape("celery.map", headers={"task": "celery.map"}),
    Shape("celery.chord_unlock", headers={"task": "celery.chord_unlock"}),
    _embedded("callbacks", [_SIGNATURE]),
    _embedded("errbacks", [_SIGNATURE]),
    _embedded("chain", [_SIGNATURE]),
    _embedded("chord", _SIGNATURE),
    Shape("pickle", b"\x80\x04K*.", content_type="application/x-python-serialize", content_encoding="binary"),
    Shape("yaml", "- [1000, 2000]\n- {}\n- {}\n", content_type="application/x-yaml"),
    Shape("unknown content type", content_type="application/x-nothing"),
    _body("two megabytes", [1000, 2000], {"z": "x" * 2_000_000}, _EMBED),
]


def sender(
    connect: Callable[[], Connection], exchange: str, key: str, task: str, seed: int
) -> Callable[[int], None]:
    """Return a function that sends a malformed message by its number.

    Parameters
    ----------
    connect : callable
        Opens a connection that confirms.
    exchange, key : str
        Where tasks go.
    task : str
        The name of the task that the messages mean, where they mean one.
    seed : int
        Makes their ids.
    """

    def send(number: int) -> None:
        shape = _for_task(SHAPES[number], task)
        id = str(UUID(int=(seed << 64) + number, version=4))
        good = {"lang": "py", "task": task, "id": id, "root_id": id, "parent_id": None, "group": None}
        good |= {"retries": 0, "eta": None, "expires": None, "timelimit": [None, None], "origin": "chaos"}
        headers = {name: value for name, value in (good | shape.headers).items() if value is not ...}
        with connect() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            connection.Producer().publish(
                shape.body,
                exchange=exchange,
                routing_key=key,
                headers=headers | {NUMBER: number} if shape.all_headers else {},
                content_type=shape.content_type,
                content_encoding=shape.content_encoding,
                confirm_timeout=5,
                correlation_id=id,
            )

    return send


def number_of(headers: dict[str, Any]) -> int | None:
    """Return which malformed message has these headers; None if it is none of them."""
    if "task" in headers or NUMBER in headers:
        return headers.get(NUMBER)
    return next(number for number, shape in enumerate(SHAPES) if not shape.all_headers)


def _for_task(shape: Shape, task: str) -> Shape:
    if isinstance(shape.body, str) and _SIGNATURE["task"] in shape.body:
        return replace(shape, body=shape.body.replace(str(_SIGNATURE["task"]), task))
    return shape
