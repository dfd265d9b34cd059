"""What was fed to the central against what became of it: each square is done, failed, on its way, or missing.

A machine's account can take messages and throw them away, and it can write rows. Neither can be prevented
without making its work impossible; here both are seen, rows with the machine's name, and mended.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from backstage.challenges.program import TASK
from backstage.classroom import fill
from backstage.classroom.cards import site
from backstage.stack.central_config import machine_of
from backstage.stack.http import ask_rabbitmq
from workshop.delivery import ledger

_FRESH_SECONDS = 8
"""After so long, RabbitMQ's own counts, made every five seconds, know what was fed before."""

_TASKS = """
WITH tasks AS (
    SELECT task_id, grid_ref, fed.x, fed.y, coalesce(machine, reason, '') AS whose, reason, CASE
        WHEN fed.task_id IS NULL AND task_id IN (SELECT task_id FROM geopython.fill_tasks) THEN 'more'
        WHEN fed.task_id IS NULL THEN 'strangers'
        WHEN done.task_id IS NULL AND reason IS NULL THEN 'open'
        WHEN done.task_id IS NULL THEN 'dead'
        WHEN (done.x, done.y, done.style_cat) = (fed.x, fed.y, fed.style_cat)
            AND ST_Area(geom) = 1e6
            AND ST_Envelope(geom) = ST_MakeEnvelope(fed.x - 500, fed.y - 500, fed.x + 500, fed.y + 500, 27700)
            THEN 'rows'
        ELSE 'forged' END AS state
    FROM geopython.fill_tasks AS fed FULL JOIN geopython.grid_squares AS done USING (task_id, grid_ref)
    LEFT JOIN unnest(%(ids)s::uuid[], %(reasons)s::text[]) AS letters (task_id, reason) USING (task_id))
"""
"""What became of each task that was fed or has a row, and the account that wrote the row or why it failed.

A row is forged that says something else than its task: another point, nation or shape. One of another square
is more than its task has.
"""

_COUNT = f"{_TASKS} SELECT state, whose, count(*), count(reason) FROM tasks GROUP BY state, whose"

_AGAIN = f"""{_TASKS},
removed AS (DELETE FROM geopython.grid_squares AS done USING tasks
            WHERE (done.task_id, done.grid_ref) = (tasks.task_id, tasks.grid_ref)
            AND state IN ('forged', 'more') AND state = ANY(%(states)s))
SELECT x, y FROM tasks WHERE state = ANY(%(states)s) AND x IS NOT NULL
"""

_STATES = ("rows", "open", "dead", "forged", "more", "strangers")

_REJECTED = "the worker that had it put it there"

_AGE = "SELECT coalesce(extract(epoch FROM now() - max(sent))::float8, 60) FROM geopython.fill_tasks"


@dataclass
class Audit:
    """What became of the squares that were fed.

    Attributes
    ----------
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    held : Counter of str
        Messages that a machine has taken and not answered for yet, by account.
    rows : Counter of str
        Squares with a row that says what their task says, by account.
    open : Counter of str
        Squares that have neither a row nor a dead letter.
    dead : Counter of str
        Squares that failed for good, by reason.
    forged : Counter of str
        Rows that say something else than their task does, by account.
    more : Counter of str
        Rows of other squares under the id of a square that was fed, by account: a task has one row.
    strangers : Counter of str
        Rows whose task was not fed here, by account.
    strange_letters : int
        Dead letters whose task was not fed here, or that are no tasks.
    letters : dict
        Ids and reasons of the dead letters that are tasks.
    """

    waiting: int
    held: Counter[str]
    rows: Counter[str]
    open: Counter[str]
    dead: Counter[str]
    forged: Counter[str]
    more: Counter[str]
    strangers: Counter[str]
    strange_letters: int
    letters: dict[str, list[str]]

    @property
    def fed(self) -> int:
        """How many squares RabbitMQ has confirmed."""
        return (self.rows + self.open + self.dead + self.forged).total()

    @property
    def missing(self) -> int:
        """The open squares, once nothing waits and no machine holds anything that may be one of them."""
        return 0 if self.waiting or self.held else self.open.total()

    @property
    def balanced(self) -> bool:
        """Whether each square that was fed has its own row or its dead letter, and nothing is on its way."""
        return not (self.open or self.forged or self.more or self.waiting or self.held)


def audit() -> Audit:
    """Compare what was fed with rows, dead letters and queues.

    Raises
    ------
    WorkshopError
        If no central runs on this machine.
    """
    with fill.database() as database:
        waiting, held = on_the_way(database.execute(_AGE).fetchall()[0][0])
        # After the look above, so that what ended meanwhile has its row.
        letters = ledger.letters([TASK], site().broker_url)
        reasons = {each.id: each.reason or _REJECTED for each in letters if not each.fault}
        dead = {"ids": list(reasons), "reasons": list(reasons.values())}
        found: dict[str, Counter[str]] = {state: Counter() for state in _STATES}
        strange = len(reasons) + sum(bool(each.fault) for each in letters)
        for state, whose, number, with_letter in database.execute(_COUNT, dead):
            found[state][whose] = number
            strange -= with_letter if state not in ("more", "strangers") else 0
    return Audit(waiting, held, strange_letters=strange, letters=dead, **found)


def resend(found: Audit, remove_forged: bool) -> int:
    """Send what failed and what has no answer again, under their ids, so that none makes a second row.

    A machine may hold a task for hours; so what is held is sent again, too.

    Parameters
    ----------
    found : Audit
        As `audit` returned it.
    remove_forged : bool
        Whether to remove rows that say something else than their task, and to send its square again.

    Returns
    -------
    int
        How many were sent again.
    """
    states = ["dead"] if found.waiting else ["dead", "open"]  # what waits may be what is open
    states += ["forged", "more"] if remove_forged else []
    with fill.database() as database:
        points = database.execute(_AGAIN, found.letters | {"states": states}).fetchall()
    return fill.feed(points, again=True)


def on_the_way(age: float) -> tuple[int, Counter[str]]:
    """Return how many messages wait in the queue `squares`, and how many each account holds.

    RabbitMQ counts what is held every five seconds only. So where nothing waits, this waits for a count that
    was made after the last square was fed: a task that was not on its way at that time had ended by then.

    Parameters
    ----------
    age : float
        How many seconds ago the last square was fed.
    """
    here = site()
    if (waiting := ledger.tasks_in_queue(here.broker_url)) == 0:
        time.sleep(max(_FRESH_SECONDS - age, 0))
    while "messages_unacknowledged" not in (queue := _ask(f"/api/queues/{here.virtual_host}/squares")):
        time.sleep(0.5)  # RabbitMQ was started a moment ago
    held: Counter[str] = Counter()
    for channel in _ask(f"/api/vhosts/{here.virtual_host}/channels"):
        held[machine_of(channel.get("user", "?"))] += channel.get("messages_unacknowledged", 0)
    held["?"] += max(0, queue["messages"] - waiting - held.total())
    return waiting, +held


def _ask(path: str) -> Any:
    return json.loads(ask_rabbitmq(site(), path))
