"""Challenge 3, join a central queue: its check. All texts, such as hints, are in ``texts.toml``."""

from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa

from backstage.challenges import checking, outcome, progress
from backstage.challenges.verdict import Verdict, phrase, say
from backstage.stack.central_config import machine_of
from backstage.stack.status import running_site
from workshop import state_folder
from workshop.database import among, execute
from workshop.db import GridSquare
from workshop.delivery.record import Run, uuids

TASKS = 300


hint, solution = progress.help_with(3)


def check(prediction: object = None, shares: object = None) -> Verdict:
    """Look at what was joined, what was sent since, and who did it, and say what is right or wrong.

    Parameters
    ----------
    prediction : number, optional
        How many of the tasks this machine would do, as guessed before.
    shares : pandas.Series, DataFrame or mapping, optional
        How many of the tasks each machine did, or each worker.
    """
    return checking.conclude(3, lambda: _judge(prediction, shares))


def _judge(prediction: object, shares: object) -> Verdict:
    tried = state_folder.read("join.json")
    if not tried:
        return say("C3-NOT-ATTEMPTED")
    if failed := tried["failed"]:
        return say("C3-ADDRESS" if failed["mine"] else "C3-CENTRAL", **failed)
    if not_joined := _not_joined():
        return not_joined
    number = checking.wanted(TASKS)
    run = checking.latest([each for each in checking.runs_of(3) if each.at > tried["at"]], number)
    return _judge_run(run, prediction, shares) if run else say("C3-NOTHING-SENT", wanted=number)


def _not_joined() -> Verdict | None:
    joined, own = state_folder.read("joined.json"), running_site()
    if not joined:
        return say("C3-NOT-JOINED", reason=phrase("left"))
    if own and _place(joined["broker_url"]) == _place(own.broker_url):
        return say("C3-NOT-JOINED", reason=phrase("own-queue"))
    if own and (place := _place(joined["database_url"])) == _place(own.database_url):
        return say("C3-OWN-DATABASE", name=place[2], port=place[1])
    return None


def _place(url: str) -> tuple[str | None, int | None, str]:
    """Return host, port and virtual host or database of an address; this machine has one name here."""
    address = urlsplit(url)
    here = address.hostname in ("localhost", "::1")
    return "127.0.0.1" if here else address.hostname, address.port, address.path.strip("/")


def _judge_run(run: Run, prediction: Any, shares: object) -> Verdict:
    now = outcome.settle(run.tasks)
    if still := outcome.running(3, now):
        return still
    query = sa.select(GridSquare.machine, GridSquare.worker).where(among(GridSquare.task_id, uuids(now.rows)))
    rows = execute(query).all()
    by_machine, by_worker = Counter(row.machine for row in rows), Counter(row.worker for row in rows)
    sent, machines, counted = len(run.tasks), len(by_machine), counts(shares)
    here = machine_of(urlsplit(state_folder.read("joined.json")["database_url"]).username or "")
    if here not in by_machine:  # the database wrote the account of each row
        return say("C3-NO-ROWS-HERE", here=here, sent=sent, done=len(rows))
    if not checking.is_count(prediction) or prediction > sent:
        return say("C3-PREDICTION", prediction=prediction, sent=sent)
    if counted not in (by_machine, by_worker):
        shown = type(shares).__name__ if counted is None and shares is not None else str(counted)
        return say("C3-COUNT", shares=shown, sent=sent, machines=machines)
    return say("C3-PASSED", sent=sent, done=len(rows), machines=machines)


_WHO = ("machine", "worker")


def counts(shares: Any) -> dict[str, int] | None:
    """Return the tasks by machine or worker, however someone counted them; None if it is no such form."""
    if hasattr(shares, "columns"):  # a DataFrame
        named = set(_WHO) & set(shares.index.names)
        columns = [name for name in _WHO if name in shares and not named]
        table = shares.set_index(columns) if columns else shares
        shares = table.iloc[:, 0] if len(table.columns) else None
    numbers = list(shares.items()) if hasattr(shares, "items") else []
    if not numbers or not all(checking.is_count(count) for _, count in numbers):
        return None
    found: Counter[str] = Counter()
    for name, count in numbers:
        found[name[0] if isinstance(name, tuple) else name] += count
    return found
