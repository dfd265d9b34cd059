"""The ledger: what was published against what became of it, so that a lost task can't stay unnoticed.

It holds the record of publishes beside the rows, the task log, the queues and what workers hold. A task that
RabbitMQ confirmed and that is in none of them is missing. To send it again is safe: its id makes one row.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from celery import Celery
from kombu import Connection
from sqlalchemy import ARRAY, Uuid, any_, literal, select

from workshop import db, settings
from workshop.connection import execute
from workshop.delivery import dead, publisher
from workshop.delivery.record import Published, published, uuids
from workshop.delivery.report import ask_workers
from workshop.delivery.topology import SQUARES, is_guest


@dataclass
class Ledger:
    """What became of the tasks in the record of publishes.

    Attributes
    ----------
    published : list of Published
        The record, without the tasks that could not be sent.
    unsent : list of Published
        Tasks that could not be sent; `delay` said so.
    rows : set of str
        Ids of the tasks that have their row.
    dead : dict
        Ids of tasks that failed for good, each with the reason; those that have a row are not among them.
    refused : list of str
        The reason of each message in the queue `dead` that is no task at all.
    waiting : int
        Messages in the queue `squares`, whoever sent them.
    held : set of str
        Ids of the tasks that a worker has: running, waiting for their retry, or about to go back.
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
    rows: set[str] = field(default_factory=set)
    dead: dict[str, str] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    waiting: int = 0
    held: set[str] = field(default_factory=set)
    missing: list[Published] = field(default_factory=list)
    unknown: list[Published] = field(default_factory=list)
    strangers: set[str] = field(default_factory=set)

    @property
    def balanced(self) -> bool:
        """Whether every task that was published has its row or its dead letter."""
        return len(self.rows) + len(self.dead) == len(self.published)


def ledger(tasks: Sequence[Published] | None = None) -> Ledger:
    """Return what became of tasks.

    Parameters
    ----------
    tasks : sequence of Published, optional
        Which tasks; by default the whole record. Strangers are looked for only then.
    """
    every = published() if tasks is None else list(tasks)
    now = Ledger([task for task in every if not task.unsent], [task for task in every if task.unsent])
    now.waiting, now.held, names = _on_the_way()
    ids = {task.id for task in now.published}
    letters = list(dead.letters(names or None))
    stored = _stored(None if tasks is None else ids)
    now.rows = stored & ids
    ended = {letter.id: letter.fault or letter.reason for letter in letters if letter.id in ids - now.rows}
    now.dead = ended | _logged(ended)
    now.refused = [letter.fault for letter in letters if letter.fault and letter.id not in ids]
    nowhere = ids - now.rows - now.dead.keys() - now.held
    if not now.waiting and not is_guest():
        now.missing = [task for task in now.published if task.id in nowhere and task.confirmed]
        now.unknown = [task for task in now.published if task.id in nowhere and not task.confirmed]
    if tasks is None:
        found = stored | {letter.id for letter in letters if not letter.fault}
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

            def publish(task: Published = task, **options: object) -> object:
                return application.send_task(task.name, task.args, task.kwargs, task_id=task.id, **options)

            publisher.send(application, task.id, publish)
    return len(tasks)


def _on_the_way() -> tuple[int, set[str], set[str]]:
    """Return how many messages wait, which tasks workers hold, and the names that they know."""
    with Connection(settings.broker_url(), connect_timeout=3) as connection, connection.channel() as channel:
        before = SQUARES(channel).queue_declare(passive=True).message_count
        reports = list(ask_workers(settings.broker_url()).values())
        after = SQUARES(channel).queue_declare(passive=True).message_count
    held = {id for report in reports for id in report["held"]}
    return max(before, after), held, {name for report in reports for name in report["tasks"]}


def _stored(ids: Collection[str] | None) -> set[str]:
    """Return which tasks have a row; of all if `ids` is None."""
    column = db.GridSquare.task_id
    query = select(column).where(db.GridSquare.worker != "direct")
    if ids is not None:
        query = query.where(column == any_(literal(uuids(ids), ARRAY(Uuid))))
    return {str(id) for id in execute(query).scalars()}


def _logged(ids: Collection[str]) -> dict[str, str]:
    """Return why tasks failed, as the task log has it."""
    log = db.TaskLog
    wanted = any_(literal(uuids(ids), ARRAY(Uuid)))
    query = select(log.task_id, log.error).where(log.state == "FAILURE", log.task_id == wanted)
    return {str(row.task_id): row.error for row in execute(query.order_by(log.id))}
