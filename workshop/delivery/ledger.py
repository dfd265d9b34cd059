"""The ledger: what was published against what became of it, so that a lost task can't stay unnoticed.

It holds the record of publishes beside the rows, the task log, the queues and what workers hold. A task that
RabbitMQ confirmed and that is in none of them is missing. To send it again is safe: its id makes one row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from celery import Celery
from sqlalchemy import select

from workshop import db, settings
from workshop.database import among, execute
from workshop.delivery import dead, publisher
from workshop.delivery.record import Published, published, uuids
from workshop.delivery.report import ask_workers
from workshop.delivery.topology import tasks_in_queue


@dataclass(frozen=True)
class LogLine:
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


@dataclass
class Ledger:
    """What became of the tasks in the record of publishes.

    Attributes
    ----------
    published : list of Published
        The record, without the tasks that could not be sent.
    unsent : list of Published
        Tasks that could not be sent; `delay` said so.
    rows : dict
        The attempt that wrote the row of each task that has one, by the task's id.
    log : list of LogLine
        What the task log has of these tasks, oldest first.
    dead : dict
        Ids of tasks that failed for good, each with the reason; those that have a row are not among them.
    refused : list of str
        The reason of each message in the queue `dead` that is no task at all.
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    paused : float
        For how many seconds more a worker takes no task, as it was told to pause; 0 if none was.
    held : dict
        Seconds until each task that a worker has is due, by its id; 0 for those that run or may run.
    missing : list of Published
        Confirmed by RabbitMQ, and nowhere. Certain only if no message waits; at a central queue never, as its
        dead letters and other machines' workers can't be seen.
    unknown : list of Published
        Never confirmed, and nowhere: perhaps RabbitMQ never had them.
    strangers : set of str
        Ids of rows and dead letters that this machine never published.
    """

    published: list[Published]
    unsent: list[Published] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    log: list[LogLine] = field(default_factory=list)
    dead: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    waiting: int = 0
    paused: float = 0
    held: dict[str, float] = field(default_factory=dict)
    missing: list[Published] = field(default_factory=list)
    unknown: list[Published] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)

    @property
    def balanced(self) -> bool:
        """Whether every task that was published has its row or its dead letter."""
        return len(self.rows) + len(self.dead) == len(self.published)

    @property
    def failures(self) -> list[LogLine]:
        """The final failures."""
        return [line for line in self.log if line.state == "FAILURE"]

    @property
    def retries(self) -> list[LogLine]:
        """The retries; one that was delivered again counts once."""
        once = {(line.task_id, line.attempt): line for line in self.log if line.state == "RETRY"}
        return list(once.values())


def ledger(tasks: Sequence[Published] | None = None, workers: int | None = None) -> Ledger:
    """Return what became of tasks.

    Parameters
    ----------
    tasks : sequence of Published, optional
        Which tasks; by default the whole record. Strangers are looked for only then.
    workers : int, optional
        How many workers will answer; without it they have a second.
    """
    every = published() if tasks is None else list(tasks)
    now = Ledger([task for task in every if not task.unsent], [task for task in every if task.unsent])
    now.waiting, reports = _on_the_way(workers)
    now.held = {id: due for report in reports for id, due in report["held"].items()}
    now.paused = max((report["paused"] for report in reports), default=0)
    ids = {task.id for task in now.published}
    letters = list(dead.letters({name for report in reports for name in report["tasks"]} or None))
    stored = _stored(None if tasks is None else ids)
    now.rows = {id: attempt for id, attempt in stored.items() if id in ids}
    now.log = _log(ids)
    ended = {
        letter.id: letter.fault or letter.reason for letter in letters if letter.id in ids - now.rows.keys()
    }
    now.dead = ended | {line.task_id: line.error for line in now.failures if line.task_id in ended}
    now.refused = [letter.fault for letter in letters if letter.fault and letter.id not in ids]
    nowhere = ids - now.rows.keys() - now.dead.keys() - now.held.keys()
    if not now.waiting and not settings.joined():
        now.missing = [task for task in now.published if task.id in nowhere and task.confirmed]
        now.unknown = [task for task in now.published if task.id in nowhere and not task.confirmed]
    if tasks is None:
        found = stored.keys() | {letter.id for letter in letters if not letter.fault}
        now.strangers = found - {task.id for task in every}
    return now


def requeue(tasks: Sequence[Published]) -> int:
    """Send tasks again, each under its own id, and return how many.

    Parameters
    ----------
    tasks : sequence of Published
        For example what is missing or unknown in a `Ledger`.

    Raises
    ------
    workshop.delivery.publisher.NotSent
        If RabbitMQ does not take one of them. Those before it are on the queue.
    """
    with Celery(broker=settings.broker_url(), set_as_current=False) as application:
        application.config_from_object("workshop.delivery.configuration")
        for task in tasks:
            publish = partial(application.send_task, task.name, task.args, task.kwargs, task_id=task.id)
            publisher.send(application, task.id, publish)
    return len(tasks)


def _on_the_way(workers: int | None) -> tuple[int, list[dict[str, Any]]]:
    """Return how many messages wait, and what workers say of themselves."""
    broker_url = settings.broker_url()
    before = tasks_in_queue(broker_url)
    reports = [*ask_workers(broker_url, expected=workers).values()]
    after = tasks_in_queue(broker_url)
    return max(before, after), reports


def _stored(ids: Collection[str] | None) -> dict[str, int]:
    """Return the attempt that wrote each task's row; of all tasks if `ids` is None."""
    square = db.GridSquare
    query = select(square.task_id, square.attempt).where(square.worker != "direct")
    if ids is not None:
        query = query.where(among(square.task_id, uuids(ids)))
    return {str(row.task_id): row.attempt for row in execute(query)}


def _log(ids: Collection[str]) -> list[LogLine]:
    log = db.TaskLog
    query = select(log.task_id, log.state, log.attempt, log.error, log.countdown).order_by(log.id)
    return [LogLine(str(id), *rest) for id, *rest in execute(query.where(among(log.task_id, uuids(ids))))]
