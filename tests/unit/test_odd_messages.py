"""Checks judge whatever was sent, also messages that no worker can do anything with."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

import pytest

from backstage.challenges import challenge_1, health, program
from workshop.delivery.record import FILE, uuids

ODD: list[tuple[list[Any], dict[str, Any], str]] = [
    ([], {}, "[]"),
    ([325200], {}, "[325200]"),
    ([[325200, 673500]], {}, "[[325200, 673500]]"),
    ([325200, 673500, 1], {}, "[325200, 673500, 1]"),
    ([], {"x": 325200}, '[{"x": 325200}]'),
    ([325200], {"x": 673500}, '[325200, {"x": 673500}]'),
    ([325200, 673500], {"z": 1}, '[325200, 673500, {"z": 1}]'),
    ([], {"x": 325200, "y": 673500, "z": 1}, '[{"x": 325200, "y": 673500, "z": 1}]'),
]
RIGHT: list[tuple[list[Any], dict[str, Any]]] = [
    ([325200, 673500], {}),
    ([325200], {"y": 673500}),
    ([], {"y": 673500, "x": 325200}),
]


@pytest.fixture(autouse=True)
def all_right(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose services are all right, as far as a check can see."""
    monkeypatch.setenv("WORKSHOP_TASKS", "40")
    monkeypatch.setattr(health, "trouble", lambda challenge: None)
    no_rows = SimpleNamespace(scalar_one=lambda: 0)
    monkeypatch.setattr(challenge_1, "execute", lambda query: no_rows)


def record(state: Path, *messages: tuple[list[Any], dict[str, Any]]) -> None:
    """Write down that messages were sent from notebook 01."""
    with (state / FILE).open("w", encoding="utf-8") as file:
        for args, kwargs in messages:
            entry = {"id": str(uuid4()), "name": program.TASK, "args": args, "kwargs": kwargs, "run": "r"}
            entry |= {"at": "2026-11-27T20:00:00.000+00:00", "source": "01-enqueue"}
            file.write(json.dumps(entry) + "\n" + json.dumps({"confirmed": [entry["id"]]}) + "\n")


@pytest.mark.parametrize(("args", "kwargs", "shown"), ODD)
def test_wrong_arguments_get_a_verdict(
    state: Path, args: list[Any], kwargs: dict[str, Any], shown: str
) -> None:
    record(state, *[RIGHT[0]] * 39, (args, kwargs))
    verdict = challenge_1.check()
    assert verdict.code == "C1-ARGUMENTS"
    assert f"1 of 40 tasks were sent with the arguments {shown}, and" in verdict.text
    assert "\nNext: " in verdict.text


def test_right_arguments_are_right_however_they_are_written(state: Path) -> None:
    record(state, *RIGHT)
    assert challenge_1.check().code == "C1-TOO-FEW"


def test_what_never_meets_the_fault_counts_no_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """Such a task fails before the service is asked."""
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://nobody:nothing@127.0.0.1:1/nowhere")
    points = [args for args, kwargs, _ in ODD if not kwargs]
    points += [["325200", "673500"], [None, None], [-1, -1], [1, 1]]
    assert program.ask(points, fault_rate=1)["errors"] == [0] * (len(points) - 1) + [3]


def test_an_id_that_no_row_can_have_is_left_out_of_questions_about_rows() -> None:
    good = uuid4()
    assert uuids([str(good), "mine", "", good]) == [good, good]
