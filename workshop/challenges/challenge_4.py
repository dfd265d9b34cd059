"""Challenge 4: predict what gets lost, then break everything. Its check, its hints, and all its texts."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from workshop.challenges import guide
from workshop.challenges.checking import conclude, latest_full, running, runs_of, wanted
from workshop.challenges.outcome import Outcome, settle
from workshop.challenges.verdict import Verdict, say
from workshop.delivery import dead
from workshop.delivery.ledger import ledger
from workshop.delivery.record import Published, Run
from workshop.stack.breaking import broken

NOTEBOOK = "04-nothing-lost"
TASKS = 300
PREDICTED = ("rows", "lost", "dead", "twice", "retries")

TEXTS = {
    "C4-PASSED": "{sent} tasks: rows {rows}, lost {lost}, dead {dead}, twice {twice}, retries {retries}. All as you predicted: well done!",
    "C4-NOT-ATTEMPTED": (
        "There is no prediction yet.\n"
        "Next: write numbers into the cell with the TODO, run it, then hand prediction to the check"
    ),
    "C4-PREDICTION": (
        "This is not a number from 0 up: {wrong}. prediction must have one for each of {names}.\n"
        "Next: write down five guesses. A wrong guess is fine"
    ),
    "C4-NOTHING-SENT": (
        "No {wanted} tasks were sent from one cell of this notebook since its kernel started.\n"
        "Next: run the cell that sends and breaks, and the cells after it"
    ),
    "C4-NOT-BROKEN": (
        "The {sent} tasks ended, but this did not happen since they were sent: {missing}.\n"
        "Next: run the cells that send and break once more, in their order"
    ),
    "C4-MISSING": (
        "{lost} of {sent} tasks have neither a row nor a dead letter. The course as it is loses none: what did you change?\n"
        "Next: workshop ledger names them, and workshop ledger --requeue sends them again"
    ),
    "C4-ROWS": (
        "You predicted {guess} rows of {sent} tasks, and there are {true}. RabbitMQ keeps each message until it is acknowledged, and that is after the row is written.\n"
        "Next: correct rows in your prediction, and check again"
    ),
    "C4-LOST": (
        "You predicted {guess} lost tasks, and {true} are. What a dead worker or a cut connection did not acknowledge, RabbitMQ delivers again.\n"
        "Next: correct lost in your prediction, and check again"
    ),
    "C4-DEAD": (
        "You predicted {guess} dead letters, and the queue dead has {true}: {reasons}. What is no task is refused once, and kept there.\n"
        "Next: correct dead in your prediction, and check again"
    ),
    "C4-TWICE": (
        "You predicted {guess} rows for the task sent twice, and it has {true}. Both messages ran, and the table takes each task_id once.\n"
        "Next: correct twice in your prediction, and check again"
    ),
    "C4-RETRIES": (
        "You predicted {guess} retries, and the task log has {true}. A task that an outage stopped goes back to the queue, and its retries stay for errors of its own.\n"
        "Next: correct retries in your prediction, and check again"
    ),
}

BREAKS = {
    "worker": "worker1 was killed",
    "process": "a process of it was killed",
    "broker": "RabbitMQ was killed",
    "database": "PostGIS was killed",
}

HINTS = (
    "At each break, ask: who has the message now? RabbitMQ forgets a message only when the worker acknowledges it.",
    "Here a worker acknowledges after the row is written. When it dies before that, RabbitMQ delivers the message again.",
    "So a task may run twice. grid_squares takes each task_id once. And what is no task at all goes to the queue dead.",
    "Nothing is lost, so each of the 300 tasks has its row. Of dead, twice and retries, two are one, and one is zero.",
)


def check(prediction: object = None) -> Verdict:
    """Compare a prediction with what became of the tasks, and say what is different and why.

    Parameters
    ----------
    prediction : mapping or pandas.Series, optional
        Five numbers: ``rows`` of the tasks, ``lost`` ones, ``dead`` letters, rows of the task sent
        ``twice``, and ``retries``.
    """
    return conclude(4, lambda: _judge(prediction))


def hint() -> guide.Text:
    """Return the next hint."""
    return guide.next_hint(4, HINTS)


def solution() -> guide.Text:
    """Return the solution."""
    return guide.solution(4)


def _judge(prediction: object) -> Verdict:
    if verdict := _no_prediction(prediction):
        return verdict
    number = min(TASKS, wanted())
    candidates = runs_of(NOTEBOOK)
    run = latest_full(candidates, number)
    if run is None or len(run.tasks) < number:
        return say(TEXTS, "C4-NOTHING-SENT", wanted=number)
    again = [task for each in candidates for task in each.tasks if task.again and task.at >= run.at]
    now = settle([*run.tasks, *again[-1:]])
    if not now.over:
        return running(4, now)
    refused = [each.fault for each in dead.letters() if each.fault and each.at > run.at]
    if missing := _not_broken(run, refused, again):
        return say(TEXTS, "C4-NOT-BROKEN", sent=len(run.tasks), missing=", ".join(missing))
    return _compare(dict(prediction), run, now, refused, again[-1])  # type: ignore[call-overload]


def _no_prediction(prediction: object) -> Verdict | None:
    if not isinstance(prediction, Mapping | pd.Series):
        code = "C4-NOT-ATTEMPTED" if prediction is None else "C4-PREDICTION"
        return say(TEXTS, code, wrong=repr(prediction)[:60], names=", ".join(PREDICTED))
    guesses = {name: prediction.get(name) for name in PREDICTED}
    if all(guess is None for guess in guesses.values()):
        return say(TEXTS, "C4-NOT-ATTEMPTED")
    if wrong := [f"{name} is {guess!r}"[:60] for name, guess in guesses.items() if not _is_count(guess)]:
        return say(TEXTS, "C4-PREDICTION", wrong=", ".join(wrong), names=", ".join(PREDICTED))
    return None


def _is_count(value: Any) -> bool:
    is_number = pd.api.types.is_number(value) and not pd.api.types.is_bool(value)
    return is_number and not isinstance(value, complex) and math.isfinite(value) and value >= 0


def _not_broken(run: Run, refused: list[str], again: list[Published]) -> list[str]:
    """Return, in words, what did not happen since a run."""
    done = broken(run.at)
    missing = [text for what, text in BREAKS.items() if what not in done]
    missing += [] if refused else ["a message that is no task was refused"]
    return missing + ([] if again else ["a task was sent twice"])


def _compare(
    prediction: dict[str, Any], run: Run, now: Outcome, refused: list[str], twice: Published
) -> Verdict:
    seen = ledger(run.tasks)
    ids = {task.id for task in run.tasks}
    true = {
        "rows": len(seen.rows),
        "lost": len(seen.missing),
        "dead": len(seen.dead) + len(refused),
        "twice": len(ledger([twice]).rows),
        "retries": len([line for line in now.retries if line.task_id in ids]),
    }
    numbers = {"sent": len(run.tasks), "reasons": "; ".join(sorted({*refused, *seen.dead.values()}))}
    if true["lost"]:
        return say(TEXTS, "C4-MISSING", **numbers, lost=true["lost"])
    different = [name for name in PREDICTED if prediction[name] != true[name]]
    if not different:
        return say(TEXTS, "C4-PASSED", **numbers, **true)
    first, *others = different
    text = say(TEXTS, f"C4-{first.upper()}", **numbers, guess=prediction[first], true=true[first])
    return text.noting(f"also different: {', '.join(others)}.") if others else text
