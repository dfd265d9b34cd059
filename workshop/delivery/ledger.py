"""What became of tasks: the one place where everybody asks, so that all hear the same.

The ledger holds the record of publishes beside the rows, the task log, the dead letters, the queue and what
workers hold. A task that RabbitMQ confirmed and that is in none of them is missing: so it can't stay
unnoticed, and to send it again is safe, as its id makes one row.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import OperationalError as DatabaseError

from workshop import db, settings
from workshop.database import among, execute
from workshop.delivery import publisher
from workshop.delivery.asking import LIVING, ask
from workshop.delivery.published import Published, sent_here
from workshop.delivery.queues import DeadLetter, letters, squares, tasks_in_queue
from workshop.delivery.record import published, uuids

FAR = 60
"""A retry that is due later than this many seconds is not waited for."""

_AT_ONCE = 1000
"""Tasks that one statement asks for while there is news."""

_FOUND = sa.text("""
    SELECT task_id, 'ROW', max(attempt) AS attempt, NULL, NULL::float8, count(*)
    FROM geopython.grid_squares WHERE task_id = ANY(:ids) GROUP BY task_id
    UNION ALL
    SELECT task_id, state, attempt, error, countdown, NULL
    FROM geopython.task_log WHERE task_id = ANY(:ids)
    ORDER BY attempt
""").bindparams(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid)))
"""All that the database knows of some tasks, for whoever may read its tables."""


class LogLine(NamedTuple):
    """A retry or a final failure of a task; see `workshop.db.TaskLog`."""

    task_id: str
    state: str
    attempt: int
    error: str
    countdown: float | None

    @property
    def error_type(self) -> str:
        """The exception's name, such as ``ServiceError``."""
        return self.error.partition(":")[0]


class Ledger:
    """What became of the tasks in the record of publishes, or of some of them.

    Parameters
    ----------
    tasks : sequence of Published
        Which tasks.

    Attributes
    ----------
    published : list of Published
        The tasks, without those that could not be sent, and those that were sent elsewhere.
    unsent : list of Published
        Tasks that could not be sent; `delay` said so.
    elsewhere : list of Published
        Tasks that were sent to another broker than the settings name now, before this machine joined a
        central, or left it. What became of them can't be seen from here.
    open : dict of Published
        The tasks, by id, that have not ended: as a row, as a failure in the task log, or as a dead letter.
    rows : dict
        The attempt that wrote the rows of each task that has all of them, by the task's id.
    log : dict of LogLine
        What the task log has of these tasks, by id, state and attempt: what was delivered twice counts once.
    letters : list of DeadLetter
        All messages in the queue `dead`.
    dead : dict
        Ids of tasks that failed for good, each with the reason; those that have a row are not among them. A
        dead letter says so; at a central, where none can be seen, the task log does.
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    paused : float
        For how many seconds more a worker takes no task, as it was told to pause; 0 if none was.
    held : dict
        Seconds until each of these tasks that a worker has is due, by its id; 0 for those that may run.
    missing : list of Published
        Confirmed by RabbitMQ, and nowhere. Certain only if no message waits and each worker has answered; at
        a central queue never, as its dead letters and other machines' workers can't be seen.
    unknown : list of Published
        Never confirmed, and nowhere: perhaps RabbitMQ never had them.
    wrong : dict of str
        Ids of tasks that have more rows or other arguments than theirs, each with a code and what was found.
    strangers : set of str
        Ids of rows and dead letters that this machine never published.
    answered : bool
        Whether RabbitMQ and PostGIS did, when they were asked last.
    """

    def __init__(self, tasks: Sequence[Published]) -> None:
        self._tasks = {task.id: task for task in sent_here(tasks)}
        self.published = list(self._tasks.values())
        self.unsent = [task for task in tasks if task.unsent]
        self.elsewhere = [task for task in tasks if not task.unsent and task.id not in self._tasks]
        self.open = dict(self._tasks)
        self.rows: dict[str, int] = {}
        self.log: dict[tuple[str, str, int], LogLine] = {}
        self.letters: list[DeadLetter] = []
        self.dead: dict[str, str] = {}
        self.waiting = 0
        self.paused = 0.0
        self.held: dict[str, float] = {}
        self.missing: list[Published] = []
        self.unknown: list[Published] = []
        self._nowhere: set[str] = set()
        self.wrong = {
            task.id: f"OTHER-ARGUMENTS: {task.id} is {task.call}, then {task.other}"
            for task in self.published
            if task.other
        }
        self.strangers: set[str] = set()
        self.answered = True

    @property
    def balanced(self) -> bool:
        """Whether every task that was published has its rows or its dead letter, and no others."""
        return not self.wrong and len(self.rows) + len(self.dead) == len(self.published)

    @property
    def failures(self) -> list[LogLine]:
        """The final failures in the task log."""
        return [line for line in self.log.values() if line.state == "FAILURE"]

    @property
    def failed(self) -> set[str]:
        """The tasks that ended without a row, as the task log or a dead letter says."""
        return ({line.task_id for line in self.failures} | self.dead.keys()) - self.rows.keys()

    @property
    def retries(self) -> list[LogLine]:
        """The retries in the task log."""
        return [line for line in self.log.values() if line.state == "RETRY"]

    @property
    def retried(self) -> Counter[str]:
        """How often each task was tried again. Its row says so, too, as a line of the log may get lost."""
        logged = Counter(line.task_id for line in self.retries)
        done = {id: attempt - 1 - self._tasks[id].retries for id, attempt in self.rows.items()}
        return logged | Counter(done)

    @property
    def refused(self) -> list[str]:
        """The reason of each message in the queue `dead` that is no task at all."""
        return [each.fault for each in self.letters if each.fault and each.id not in self._tasks]

    @property
    def soonest(self) -> float:
        """The seconds until the first task that a worker holds is due; 0 if one may run, or none is held."""
        return min(self.held.values(), default=0)

    def look(self) -> bool:
        """Ask for the oldest open tasks, and for more as long as there is news; return whether there is any.

        So a look costs what is new, however many tasks there are.
        """
        open_, news = list(self.open), False
        for start in range(0, len(open_), _AT_ONCE):
            if not self._read(open_[start : start + _AT_ONCE]):
                break
            news = True
        self.waiting = tasks_in_queue(settings.broker_url())  # after the rows: what has left it since, runs
        if news:
            self.held, self.paused = {}, 0  # what workers said before is old
        return news

    def search(self) -> None:
        """Look for all tasks without a row: at the workers, in the queue `dead`, and in the tables again.

        A task goes this way, or back to the queue: so what seems lost is lost only if it was so before.
        """
        before = self.waiting
        reports, complete = _ask_workers()
        self.letters = letters({name for each in reports for name in each["tasks"]} or None)
        self.waiting = tasks_in_queue(settings.broker_url())
        self._read([id for id in self._tasks if id not in self.rows])
        left = self._tasks.keys() - self.rows.keys()
        self.dead = {each.id: each.fault or each.reason for each in self.letters if each.id in left}
        failed = left if settings.joined() else self.dead  # a central's dead letters can't be seen
        self.dead |= {line.task_id: line.error for line in self.failures if line.task_id in failed}
        self.open = {id: task for id, task in self.open.items() if id not in self.dead}
        self.held = {id: due for each in reports for id, due in each["held"].items() if id in left}
        self.paused = max((each["paused"] for each in reports), default=0)
        certain = complete and not (before or self.waiting)
        nowhere = left - self.dead.keys() - self.held.keys() if certain else set()
        lost = [task for id, task in self._tasks.items() if id in nowhere and id in self._nowhere]
        self.missing = [task for task in lost if task.confirmed]
        self.unknown = [task for task in lost if not task.confirmed]
        self._nowhere = nowhere

    def _read(self, ids: list[str]) -> bool:
        """Ask the database for tasks; return whether it says anything new."""
        before = len(self.rows) + len(self.log)
        for id, state, attempt, error, countdown, rows in execute(_FOUND, {"ids": uuids(ids)}):
            task_id = str(id)
            if state == "ROW":
                if rows >= (squares := self._tasks[task_id].squares):
                    self.rows[task_id] = attempt
                if rows > squares:
                    self.wrong.setdefault(task_id, f"MORE-ROWS: {task_id} has {rows:,} rows, not {squares:,}")
            else:
                line = LogLine(task_id, state, attempt, error, countdown)
                self.log.setdefault((task_id, state, attempt), line)
            if task_id in self.rows or state == "FAILURE":
                self.open.pop(task_id, None)
        return len(self.rows) + len(self.log) > before


def ledger(tasks: Sequence[Published] | None = None) -> Ledger:
    """Return what became of tasks.

    Parameters
    ----------
    tasks : sequence of Published, optional
        Which tasks; by default the whole record. Strangers are looked for only then.
    """
    publisher.flush()
    now = Ledger(published() if tasks is None else tasks)
    now.look()
    now.search()
    if now._nowhere:
        time.sleep(0.3)
        now.search()
    if tasks is None:
        ours = {task.id for task in (*now.published, *now.unsent, *now.elsewhere)}
        others = sa.select(db.GridSquare.task_id).distinct()
        others = others.where(db.GridSquare.worker != "direct", ~among(db.GridSquare.task_id, uuids(ours)))
        now.strangers = set(map(str, execute(others).scalars()))
        now.strangers |= {each.id for each in now.letters if not each.fault} - ours
    return now


def follow(tasks: Sequence[Published], patience: float) -> Iterator[Ledger]:
    """Yield what became of tasks, brought up to date five times a second, until all have ended.

    It goes on through outages, and ends when nothing of these tasks has changed for a while. What others sent
    may be before them in the queue, and counts for nothing. A pause is waited for, and so is a retry.

    Parameters
    ----------
    tasks : sequence of Published
        Which tasks.
    patience : float
        After how many seconds without a change it ends.
    """
    publisher.flush()
    now, since, before = Ledger(tasks), time.monotonic(), None
    while True:
        try:
            news = now.look()
            if not news or not now.open:
                now.search()
            now.answered = True
        except (OSError, AMQPError, BrokerError, DatabaseError):
            news = now.answered = False
        seen = (len(now.rows), len(now.log), len(now.dead), set(now.held))
        if now.answered and (seen != before or now.paused or 0 < now.soonest <= FAR):
            since, before = time.monotonic(), seen
        yield now
        if (now.answered and not now.open) or time.monotonic() - since > patience:
            return
        time.sleep(0.2 if news else max(0.2, len(now.open) / 25_000))


def _ask_workers() -> tuple[list[dict[str, Any]], bool]:
    """Return what workers say of themselves, and whether each has answered: none can be seen at a central."""
    if settings.joined():
        return [], False
    names = {name for name, _ in execute(sa.text(LIVING))}
    most = max(len(names), consumers := squares(settings.broker_url()).consumer_count)
    reports = ask(settings.broker_url(), "course_report", limit=most) if most else {}
    return list(reports.values()), names <= reports.keys() and consumers <= len(reports)


def requeue(tasks: Sequence[Published]) -> int:
    """Send tasks again, each under its own id, and return how many.

    Parameters
    ----------
    tasks : sequence of Published
        For example what is missing or unknown in a `Ledger`.

    Raises
    ------
    workshop.delivery.publisher.NotSent
        If RabbitMQ does not confirm one of them.
    """
    for task in tasks:
        publisher.send(publisher.task_message(task.id, task.name, task.args, task.kwargs))
    publisher.flush()
    return len(tasks)
