"""Challenge 4, predict what gets lost, then break everything: its check; hints are in ``texts.toml``."""

from datetime import datetime
from typing import Any

from backstage.challenges import checking, outcome, progress
from backstage.challenges.verdict import Verdict, phrase, say, texts
from backstage.stack.breaking import broken
from workshop.delivery.ledger import Ledger
from workshop.delivery.record import Published, Run

TASKS = 300
PREDICTED = ("rows", "lost", "dead", "twice", "retries")


hint, solution = progress.help_with(4)


def check(prediction: object = None) -> Verdict:
    """Compare a prediction with what became of the tasks, and say what is different and why.

    Parameters
    ----------
    prediction : mapping or pandas.Series, optional
        Five numbers: ``rows`` of the tasks, ``lost`` ones, ``dead`` letters, rows of the task sent
        ``twice``, and ``retries``.
    """
    return checking.conclude(4, lambda: _judge(prediction))


def _judge(prediction: Any) -> Verdict:
    try:
        given = {} if prediction is None else dict(prediction)
    except (TypeError, ValueError):
        return say("C4-PREDICTION", wrong=repr(prediction)[:60], names=", ".join(PREDICTED))
    guesses = {name: given.get(name) for name in PREDICTED}
    if all(guess is None for guess in guesses.values()):
        return say("C4-NOT-ATTEMPTED")
    wrong = [f"{name} is {guess!r}"[:60] for name, guess in guesses.items() if not checking.is_count(guess)]
    if wrong:
        return say("C4-PREDICTION", wrong=", ".join(wrong), names=", ".join(PREDICTED))
    candidates, number = checking.runs_of(4), checking.wanted(TASKS)
    run = checking.latest(candidates, number)
    if run is None:
        return say("C4-NOTHING-SENT", wanted=number)
    again = [task for each in candidates for task in each.tasks if task.again and task.at >= run.at]
    return _judge_run(guesses, run, again[-1:])


def _judge_run(guesses: dict[str, Any], run: Run, twice: list[Published]) -> Verdict:
    now = outcome.settle([*run.tasks, *twice])
    if still := outcome.running(4, now):
        return still
    refused = [each.fault for each in now.letters if each.fault and each.at > run.at]
    happened = broken(datetime.fromisoformat(run.at))
    happened |= {what for what, found in (("refused", refused), ("twice", twice)) if found}
    if missing := [text for what, text in texts()["breaks"].items() if what not in happened]:
        return say("C4-NOT-BROKEN", sent=len(run.tasks), missing=", ".join(missing))
    return _compare(guesses, run, now, refused, twice[0])


def _compare(guesses: dict[str, Any], run: Run, now: Ledger, refused: list[str], twice: Published) -> Verdict:
    ids = {task.id for task in run.tasks}
    buried = {id: reason for id, reason in now.dead.items() if id in ids}
    true = {
        "rows": len(ids & now.rows.keys()),
        "lost": len(ids & outcome.lost(now)),
        "dead": len(buried) + len(refused),
        "twice": len({twice.id} & now.rows.keys()),
        "retries": sum(now.retried[id] for id in ids),
    }
    sent = len(run.tasks)
    if true["lost"]:
        return say("C4-MISSING", sent=sent, lost=true["lost"])
    different = [name for name in PREDICTED if guesses[name] != true[name]]
    if not different:
        return say("C4-PASSED", sent=sent, **true)
    first, *others = different
    reasons = "; ".join(sorted({*refused, *buried.values()}))
    verdict = say(f"C4-{first.upper()}", sent=sent, guess=guesses[first], true=true[first], reasons=reasons)
    return verdict.noting(phrase("also-different", names=", ".join(others))) if others else verdict
