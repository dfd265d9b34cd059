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
from backstage.classroom.central import site
from backstage.stack.central_config import machine_of
from backstage.stack.http import ask_rabbitmq
from workshop.delivery import ledger

_FRESH_SECONDS = 8
"""After so long, RabbitMQ's own counts, made every five seconds, know what was fed before."""

_TASKS = """
SELECT count(*) FILTER (WHERE fed),
    coalesce(array_agg(task_id) FILTER (WHERE machine IS NULL), '{}'),
    coalesce(jsonb_object_agg(task_id, machine) FILTER (WHERE fed AND machine > '' AND NOT sound), '{}'),
    coalesce(array_agg(machine) FILTER (WHERE NOT fed), '{}')
FROM (
    SELECT task_id::text, f.task_id IS NOT NULL AS fed, g.machine,
        ((g.x, g.y, g.grid_ref, g.style_cat) = (f.x, f.y, f.grid_ref, f.style_cat)
         AND ST_Area(g.geom) = 1e6
         AND ST_Envelope(g.geom) = ST_MakeEnvelope(f.x - 500, f.y - 500, f.x + 500, f.y + 500, 27700)
        ) IS TRUE AS sound
    FROM geopython.fill_tasks AS f FULL JOIN geopython.grid_squares AS g USING (task_id)) AS tasks
"""
"""How many were fed; which have no row; whose rows say something else; whose rows are of other tasks."""

_OURS = "SELECT task_id::text FROM geopython.fill_tasks WHERE task_id = ANY(%s::uuid[])"
_AGE = "SELECT coalesce(extract(epoch FROM now() - max(sent))::float8, 60) FROM geopython.fill_tasks"


@dataclass
class Audit:
    """What became of the squares that were fed.

    Attributes
    ----------
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    held : dict of str to int
        Messages that a machine has taken and not answered for yet, by account.
    fed : int
        Squares that RabbitMQ has confirmed.
    open : set of str
        The ids of those that have neither a row nor a dead letter.
    dead : dict of str to str
        The ids of those that failed for good, each with the reason.
    forged : dict of str to str
        The ids of rows that say something else than their task does: another point, reference, nation or
        shape; with their account.
    strangers : Counter of str
        Rows, by account, whose task was not fed here.
    strange_letters : int
        Dead letters whose task was not fed here, or that are no tasks.
    """

    waiting: int
    held: dict[str, int]
    fed: int
    open: set[str]
    dead: dict[str, str]
    forged: dict[str, str]
    strangers: Counter[str]
    strange_letters: int

    @property
    def rows(self) -> int:
        """How many fed squares have a row that says what their task says."""
        return self.fed - len(self.open) - len(self.dead) - len(self.forged)

    @property
    def missing(self) -> set[str]:
        """The open squares, once nothing waits and no machine holds anything that may be one of them."""
        return set() if self.waiting or self.held else self.open

    @property
    def balanced(self) -> bool:
        """Whether each square that was fed has its own row or its dead letter, and nothing is on its way."""
        return not (self.open or self.forged or self.waiting or self.held)


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
        [(fed, without_row, forged, strangers)] = database.execute(_TASKS).fetchall()
        letters = ledger.letters([TASK], site().broker_url)
        reasons = {each.id: each.reason for each in letters if not each.fault}
        ours = {id for (id,) in database.execute(_OURS, [list(reasons)])}
    failed = {
        id: reasons[id] or "the worker that had it put it there" for id in ours.intersection(without_row)
    }
    open_ = set(without_row) - failed.keys()
    strange = sum(bool(each.fault) or each.id not in ours for each in letters)
    return Audit(waiting, held, fed, open_, failed, forged, Counter(strangers), strange)


def resend(found: Audit, remove_forged: bool) -> int:
    """Send what failed and what has no answer again, under their ids, so that none makes a second row.

    A machine may hold a task for hours; so what is held is sent again, too.

    Parameters
    ----------
    found : Audit
        As `audit` returned it.
    remove_forged : bool
        Whether to remove rows that say something else than their task, and to send their squares again.

    Returns
    -------
    int
        How many were sent again.
    """
    forged = list(found.forged) if remove_forged else []
    again = [*found.dead, *forged, *(() if found.waiting else found.open)]  # what waits may be what is open
    forget = "DELETE FROM geopython.fill_tasks WHERE task_id = ANY(%s::uuid[]) RETURNING x, y"
    with fill.database() as database:
        database.execute("DELETE FROM geopython.grid_squares WHERE task_id = ANY(%s::uuid[])", [forged])
        points = database.execute(forget, [again]).fetchall()
    return fill.feed(points)


def on_the_way(age: float) -> tuple[int, dict[str, int]]:
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
    return waiting, dict(+held)


def _ask(path: str) -> Any:
    return json.loads(ask_rabbitmq(site(), path))
