"""Challenge 3: join a central queue. Its check, its hints, and all its texts."""

from collections import Counter
from collections.abc import Mapping
from urllib.parse import urlsplit

import pandas as pd

from workshop import machine, maps
from workshop.challenges import guide
from workshop.challenges.checking import conclude, latest_full, running, runs_of, wanted
from workshop.challenges.outcome import settle
from workshop.challenges.verdict import Verdict, say
from workshop.delivery.record import Run
from workshop.stack import running as stack

NOTEBOOK = "03-scale-out"
TASKS = 300

TEXTS = {
    "C3-PASSED": "{sent} tasks, {done} rows at the central; machines that did them: {machines}, yours too. Well done!",
    "C3-NOT-ATTEMPTED": (
        "No addresses were handed to join, so this machine works for itself.\n"
        "Next: build both addresses in the cell with the TODO, then run the cell with join"
    ),
    "C3-ADDRESS": ("The address of the {address} fails at this part: {part}. {text}\nNext: {next_step}"),
    "C3-CENTRAL": "This machine could not join. {text}\nNext: {next_step}",
    "C3-NOT-JOINED": "{reason}\nNext: build the addresses from the parts of your card, and join again",
    "C3-OWN-DATABASE": (
        "The queue is the central one, but the database is this machine's own, at port {port}.\n"
        "Next: build database_url from the parts of your card, and join again"
    ),
    "C3-NOTHING-SENT": (
        "No {wanted} tasks were sent since this machine joined.\n"
        "Next: run the cell that sends them, and the cells after it"
    ),
    "C3-NO-ROWS-HERE": (
        "{done} of {sent} tasks are done, and none by {here}.\n"
        "Next: workshop status; when worker1 is ready, send the tasks again"
    ),
    "C3-PREDICTION": (
        "Your prediction is {prediction}. It must be a number of tasks, from 0 to {sent}.\n"
        "Next: write down a guess. A wrong guess is fine"
    ),
    "C3-COUNT": (
        "shares is {shares}. It must be how many of the {sent} tasks each machine did; machines: {machines}.\n"
        "Next: let GeoPandas count the rows of squares for each machine, after all tasks are done"
    ),
}

HINTS = (
    "An address has its parts in this order: scheme, user, password, host, port, and a name. "
    "Your card has all but the scheme.",
    "The name at the end of the broker's address is its virtual host; at the end of the database's, the database.",
    "An f-string puts parts into a text. The broker's address ends like this: "
    'f"...@{card.broker.host}:{card.broker.port}/{card.broker.virtual_host}". The database\'s ends in '
    "card.database.name.",
    'For the shares: squares.groupby("machine") makes a group of the rows of each machine. Ask it for the size '
    "of each group.",
)


def check(prediction: object = None, shares: object = None) -> Verdict:
    """Look at what was joined, what was sent since, and who did it, and say what is right or wrong.

    Parameters
    ----------
    prediction : number, optional
        How many of the tasks this machine would do, as guessed before.
    shares : pandas.Series, DataFrame or mapping, optional
        How many of the tasks each machine did, or each worker.
    """
    return conclude(3, lambda: _judge(prediction, shares))


def hint() -> guide.Text:
    """Return the next hint."""
    return guide.next_hint(3, HINTS)


def solution() -> guide.Text:
    """Return the solution."""
    return guide.solution(3)


def _judge(prediction: object, shares: object) -> Verdict:
    tried = machine.read("join.json")
    if not tried:
        return say(TEXTS, "C3-NOT-ATTEMPTED")
    if tried["failed"]:
        return say(TEXTS, "C3-ADDRESS" if tried["failed"]["mine"] else "C3-CENTRAL", **tried["failed"])
    return _joined() or _run(tried["at"], prediction, shares)


def _joined() -> Verdict | None:
    joined, own = machine.read("joined.json"), stack.running() or {}
    if not joined:
        return say(TEXTS, "C3-NOT-JOINED", reason="This machine left the central queue, or never joined it.")
    if _place(joined["broker_url"]) == _place(own.get("broker_url", "")):
        reason = "The queue that this machine joined is its own."
        return say(TEXTS, "C3-NOT-JOINED", reason=reason)
    if (place := _place(joined["database_url"])) == _place(own.get("database_url", "")):
        return say(TEXTS, "C3-OWN-DATABASE", port=place[1])
    return None


def _place(url: str) -> tuple[str | None, int | None]:
    """Return host and port of an address; this machine has one name here."""
    address = urlsplit(url)
    here = address.hostname in ("localhost", "::1")
    return "127.0.0.1" if here else address.hostname, address.port


def _run(joined_at: str, prediction: object, shares: object) -> Verdict:
    number = min(TASKS, wanted())
    run = latest_full([each for each in runs_of(NOTEBOOK) if each.at > joined_at], number)
    if run is None or len(run.tasks) < number:
        return say(TEXTS, "C3-NOTHING-SENT", wanted=number)
    return _judge_run(run, prediction, shares)


def _judge_run(run: Run, prediction: object, shares: object) -> Verdict:
    now = settle(run.tasks)
    if not now.over:
        return running(3, now)
    squares = maps.read_squares(task.id for task in run.tasks)
    by_machine, by_worker = Counter(squares["machine"]), Counter(squares["worker"])
    numbers = {"sent": now.sent, "done": len(squares), "machines": len(by_machine)}
    here = urlsplit(machine.read("joined.json")["database_url"]).username
    if here not in by_machine:  # the database wrote the account of each row
        return say(TEXTS, "C3-NO-ROWS-HERE", here=here, **numbers)
    if not _is_number(prediction) or not 0 <= float(prediction) <= now.sent:  # type: ignore[arg-type]
        return say(TEXTS, "C3-PREDICTION", prediction=prediction, **numbers)
    if counts(shares) not in (by_machine, by_worker):
        return say(TEXTS, "C3-COUNT", shares=_short(shares), **numbers)
    return say(TEXTS, "C3-PASSED", **numbers)


def _is_number(value: object) -> bool:
    return pd.api.types.is_number(value) and not isinstance(value, bool)


_WHO = ("machine", "worker")


def counts(shares: object) -> dict[str, int] | None:
    """Return the tasks by machine or worker, however someone counted them; None if it is no such form."""
    if isinstance(shares, pd.DataFrame):
        named = set(_WHO) & set(shares.index.names)
        columns = [name for name in _WHO if name in shares and not named]
        table = shares.set_index(columns) if columns else shares
        shares = table.iloc[:, 0] if len(table.columns) else None
    if not isinstance(shares, pd.Series | Mapping):
        return None
    if not all(map(_is_number, shares.values() if isinstance(shares, Mapping) else shares)):
        return None
    found: Counter[str] = Counter()
    for name, count in shares.items():
        found[name[0] if isinstance(name, tuple) else name] += count
    return found


def _short(shares: object) -> str:
    found = counts(shares)
    return type(shares).__name__ if shares is not None and found is None else str(found)
