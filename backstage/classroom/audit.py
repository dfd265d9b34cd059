"""What was fed to the central against what became of it: each square is done, failed, on its way, or missing.

A machine's account can take messages and throw them away, and it can write rows. Neither can be prevented
without making its work impossible; here both are seen, rows with the machine's name, and mended.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

from backstage.classroom import fill
from backstage.classroom.central import site
from backstage.stack.central_config import machine_of
from backstage.stack.http import ask_rabbitmq
from workshop.delivery import dead

_FRESH_SECONDS = 8
"""After so long, RabbitMQ's own counts, made every five seconds, know what was fed before."""

_ROWS = """
SELECT task_id, f.task_id IS NOT NULL, f.sent IS NOT NULL, g.machine,
    ((g.x, g.y, g.grid_ref, g.style_cat) = (f.x, f.y, f.grid_ref, f.style_cat) AND ST_Area(g.geom) = 1e6 AND
     ST_Envelope(g.geom) = ST_MakeEnvelope(f.x - 500, f.y - 500, f.x + 500, f.y + 500, 27700)) IS TRUE
FROM geopython.fill_tasks AS f FULL JOIN geopython.grid_squares AS g USING (task_id)
"""
"""Of each task: whether it is one of ours, whether it was sent, who wrote its row, whether that is right."""

_AGE = "SELECT coalesce(extract(epoch FROM now() - max(sent))::float8, 60) FROM geopython.fill_tasks"


@dataclass
class Audit:
    """What became of the squares that were fed.

    Attributes
    ----------
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    held : dict of str to int
        Messages that a machine has taken and not answered for yet, by account; None if RabbitMQ can't tell.
    fed : int
        Squares that RabbitMQ has confirmed.
    open : set of UUID
        Those of them that have neither a row nor a dead letter.
    dead : dict of UUID to str
        Those of them that failed for good, each with the reason.
    forged : dict of UUID to str
        Rows that say something else than their task does: another point, reference, nation or shape; with
        their account.
    strangers : Counter of str
        Rows, by account, whose task was not fed here.
    strange_letters : int
        Dead letters whose task was not fed here, or that are no tasks.
    """

    waiting: int
    held: dict[str, int] | None
    fed: int = 0
    open: set[UUID] = field(default_factory=set)
    dead: dict[UUID, str] = field(default_factory=dict)
    forged: dict[UUID, str] = field(default_factory=dict)
    strangers: Counter[str] = field(default_factory=Counter)
    strange_letters: int = 0

    @property
    def rows(self) -> int:
        """How many fed squares have a row that says what their task says."""
        return self.fed - len(self.open) - len(self.dead) - len(self.forged)

    @property
    def missing(self) -> set[UUID]:
        """The open squares, once nothing waits and no machine holds anything that may be one of them."""
        return self.open if not self.waiting and self.held == {} else set()

    @property
    def balanced(self) -> bool:
        """Whether each square that was fed has its own row or its dead letter, and nothing is on its way."""
        return not (self.open or self.forged or self.waiting or self.held != {})


def audit() -> Audit:
    """Compare what was fed with rows, dead letters and queues.

    Raises
    ------
    WorkshopError
        If no central runs on this machine.
    """
    with fill.database() as database:
        found = Audit(*on_the_way(database.execute(_AGE).fetchall()[0][0]))
        # After the look above, so that what ended meanwhile has its row.
        rows = database.cursor(binary=True).execute(_ROWS).fetchall()
    ours = set()
    for id, is_ours, sent, account, right in rows:
        if not is_ours:
            found.strangers[account] += 1
            continue
        ours.add(id)
        found.fed += sent
        if account and not right:
            found.forged[id] = account
        elif sent and not account:
            found.open.add(id)
    for letter in dead.letters([fill.TASK], site().broker_url):
        id = None if letter.fault else UUID(letter.id)
        if id in found.open:
            found.open.remove(id)
            found.dead[id] = letter.reason or "the worker that had it put it there"
        found.strange_letters += id not in ours
    return found


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
    again = {*found.dead, *forged, *(() if found.waiting else found.open)}  # what waits may be what is open
    with fill.database() as database:
        database.execute("DELETE FROM geopython.grid_squares WHERE task_id = ANY(%s)", [forged])
        database.execute("UPDATE geopython.fill_tasks SET sent = NULL WHERE task_id = ANY(%s)", [list(again)])
    fill.feed([])
    return len(again)


def on_the_way(age: float) -> tuple[int, dict[str, int] | None]:
    """Return how many messages wait in the queue `squares`, and how many each account holds.

    RabbitMQ counts what is held every five seconds only. So where nothing waits, this waits for a count that
    was made after the last square was fed: a task that was not on its way at that time had ended by then.

    Parameters
    ----------
    age : float
        How many seconds ago the last square was fed.
    """
    if (waiting := fill.waiting(site().broker_url)) == 0:
        time.sleep(max(_FRESH_SECONDS - age, 0))
    here = site()
    queue = json.loads(ask_rabbitmq(here, f"/api/queues/{here.virtual_host}/squares"))
    if "messages_unacknowledged" not in queue:
        return waiting, None  # RabbitMQ was started a moment ago
    held: Counter[str] = Counter()
    for channel in json.loads(ask_rabbitmq(here, f"/api/vhosts/{here.virtual_host}/channels")):
        held[machine_of(channel.get("user", "?"))] += channel.get("messages_unacknowledged", 0)
    held["?"] += max(0, queue["messages"] - waiting - held.total())
    return waiting, dict(+held)
