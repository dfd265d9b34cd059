"""What was fed to the central against what became of it: each square is done, failed, on its way, or missing.

A machine's account can take messages and throw them away, and it can write rows. Neither can be prevented
without making its work impossible; here both are seen, rows with the machine's name, and mended.
"""

import json
import time
from collections import Counter
from dataclasses import dataclass, field
from uuid import UUID

import numpy as np
import psycopg

from backstage.classroom import country, fill
from backstage.classroom.central import site
from backstage.stack.direct import ask_rabbitmq
from backstage.stack.site import Site
from workshop import state_folder
from workshop.delivery import dead
from workshop.delivery.batches import TASK

_FRESH = 8
"""Seconds after which RabbitMQ's own counts, made every five seconds, know what was fed before."""

_ROWS = """
SELECT task_id, grid_ref, x, y, style_cat, machine, coalesce(
    (ST_XMin(geom), ST_YMin(geom), ST_XMax(geom), ST_YMax(geom), ST_Area(geom))
    = (floor(x / 1000) * 1000, floor(y / 1000) * 1000,
       floor(x / 1000) * 1000 + 1000, floor(y / 1000) * 1000 + 1000, 1e6), false)
FROM geopython.grid_squares
"""


@dataclass
class Balance:
    """What became of the squares that were fed.

    Attributes
    ----------
    fed : int
        Squares on record as fed.
    rows : int
        Those that have a row which says what their task says.
    dead : dict of UUID to str
        Those that failed for good, each with the reason.
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    held : dict of str to int
        Messages that a machine has taken and not answered for yet, by account; None if RabbitMQ can't tell.
    unanswered : array of int
        The numbers of squares without a row or dead letter; none while anything waits: it may be one of them.
    dead_squares : array of int
        The numbers of the squares that failed for good.
    forged : dict of UUID to str
        Rows that can't come from their task: another point, reference, nation or shape; with its account.
    forged_squares : array of int
        The numbers of the fed squares among them.
    strangers : dict of str to int
        Rows, by account, whose task was not fed here.
    strange_letters : int
        Dead letters whose task was not fed here, or that are no tasks.
    """

    fed: int
    rows: int = 0
    dead: dict[UUID, str] = field(default_factory=dict)
    waiting: int = 0
    held: dict[str, int] | None = None
    unanswered: country.Numbers = field(default_factory=lambda: np.zeros(0, int))
    dead_squares: country.Numbers = field(default_factory=lambda: np.zeros(0, int))
    forged: dict[UUID, str] = field(default_factory=dict)
    forged_squares: country.Numbers = field(default_factory=lambda: np.zeros(0, int))
    strangers: dict[str, int] = field(default_factory=dict)
    strange_letters: int = 0

    @property
    def missing(self) -> country.Numbers:
        """The numbers of squares that are nowhere: unanswered, and no machine holds any."""
        return self.unanswered if self.held == {} else self.unanswered[:0]

    @property
    def open(self) -> int:
        """How many fed squares have neither a good row nor a dead letter."""
        return self.fed - self.rows - len(self.dead)


def balance() -> Balance:
    """Compare what was fed with rows, dead letters and queues.

    Raises
    ------
    WorkshopError
        If no central runs on this machine.
    """
    central, now = site(), fill.read()
    numbers = np.flatnonzero(now.squares())
    found = Balance(len(numbers))
    found.waiting, found.held = on_the_way(central)  # first: what ends after this look has its row below
    known = {task[0]: number for task, number in zip(now.tasks(numbers), numbers.tolist(), strict=True)}
    unsure = {task[0] for task in now.tasks(np.flatnonzero(now.squares(ahead=fill.BATCH)))} - known.keys()
    with psycopg.connect(central.database_url.replace("+psycopg", ""), connect_timeout=5) as database:
        rows = database.cursor(binary=True).execute(_ROWS).fetchall()
    good = _compare(found, known, rows, unsure)
    forged = {known[id] for id in found.forged if id in known}
    found.forged_squares = np.array(sorted(forged), dtype=int)
    for letter in dead.letters([TASK], central.broker_url):
        id = None if letter.fault else UUID(letter.id)
        if id in known and id not in good:
            found.dead[id] = letter.reason or "the worker that had it put it there"
        found.strange_letters += id not in known and id not in unsure
    found.dead_squares = np.array([known[id] for id in found.dead], dtype=int)
    if found.waiting == 0:
        ended = good | found.dead.keys() | found.forged.keys()
        found.unanswered = np.array([number for id, number in known.items() if id not in ended], dtype=int)
    return found


def mend(found: Balance, remove_forged: bool, say: fill.Say) -> None:
    """Send what failed and what has no answer again, under their ids, so that none makes a second row.

    A machine may hold a task for hours; so what is held is sent again, too.

    Parameters
    ----------
    found : Balance
        As `balance` returned it.
    remove_forged : bool
        Whether to remove rows that can't come from their task, and to send their squares again.
    say : callable
        Shows a line.
    """
    again = np.union1d(found.unanswered, found.dead_squares)
    if remove_forged and found.forged:
        url = site().database_url.replace("+psycopg", "")
        with psycopg.connect(url, connect_timeout=5) as database:
            ids = list(found.forged)
            database.execute("DELETE FROM geopython.grid_squares WHERE task_id = ANY(%s)", [ids])
        say(f"{len(found.forged):,} rows were removed.")
        again = np.union1d(again, found.forged_squares)
    fill.feed(fill.read(), again, say)
    (state_folder.state_dir() / fill.FILE).touch()  # `on_the_way` counts from here
    say(f"{len(again):,} squares were sent again. Next: workshop class ledger, in a while")


def on_the_way(central: Site) -> tuple[int, dict[str, int] | None]:
    """Return how many messages wait in the queue `squares`, and how many each account holds.

    RabbitMQ counts what is held every five seconds only. So where nothing waits, this waits for a count that
    was made after the last square was fed: a task that was not on its way at that time had ended by then.
    """
    if (waiting := fill.waiting(central.broker_url)) == 0:
        file = state_folder.state_dir() / fill.FILE
        rest = file.stat().st_mtime + _FRESH - time.time() if file.exists() else 0
        time.sleep(min(max(rest, 0), _FRESH))
    queue = json.loads(ask_rabbitmq(central, "/api/queues/celery_app/squares"))
    if "messages_unacknowledged" not in queue:
        return waiting, None  # RabbitMQ was started a moment ago
    held: Counter[str] = Counter()
    for channel in json.loads(ask_rabbitmq(central, "/api/channels")):
        held[channel.get("user", "?")] += channel.get("messages_unacknowledged", 0)
    if unknown := queue["messages"] - waiting - held.total():
        held["?"] += max(0, unknown)
    return waiting, dict(+held)


def _compare(found: Balance, known: dict[UUID, int], rows: list[tuple], unsure: set[UUID]) -> set[UUID]:
    """Sort rows into good ones, forged ones and strangers; return the ids of the good.

    `unsure` has the tasks of a batch that was on its way when the feeding was stopped.
    """
    if not rows:
        return set()
    ids, references, xs, ys, codes, accounts, shaped = zip(*rows, strict=True)
    numbers = np.array([known.get(id, -1) for id in ids])
    x, y = np.array(xs, float), np.array(ys, float)
    on_grid = np.array(shaped) & (x >= 0) & (x < country.grid.WIDTH) & (y >= 0) & (y < country.grid.HEIGHT)
    x, y = np.where(on_grid, x, 0), np.where(on_grid, y, 0)
    right = on_grid & (np.array(country.references(x, y)) == np.array(references))
    right &= country.nations_at(x, y) == np.array(codes)
    ours = numbers >= 0
    centre_x, centre_y = country.centres(numbers)
    right &= ~ours | ((x == centre_x) & (y == centre_y))
    found.forged = {ids[at]: accounts[at] for at in np.flatnonzero(~right)}
    strange = [at for at in np.flatnonzero(right & ~ours) if ids[at] not in unsure]
    found.strangers = dict(Counter(accounts[at] for at in strange))
    good = {ids[at] for at in np.flatnonzero(right & ours)}
    found.rows = len(good)
    return good
