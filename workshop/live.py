"""How far a run of tasks is: counted from the queue, the rows and the task log."""

import sys
import time
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

from amqp.exceptions import ConnectionError as ConnectionLost
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy import ARRAY, Uuid, bindparam, select, text
from sqlalchemy.exc import OperationalError as DatabaseError
from tqdm import tqdm

from workshop import db, state_folder
from workshop.database import among, execute
from workshop.delivery.record import Published, latest_run, uuids
from workshop.delivery.topology import tasks_in_queue
from workshop.errors import WorkshopError
from workshop.settings import broker_url

if TYPE_CHECKING:
    from pandas import DataFrame

_COUNT = text("""
    WITH run AS (SELECT unnest(:ids) AS task_id),
         done AS (SELECT task_id FROM run JOIN geopython.grid_squares USING (task_id)),
         log AS (SELECT task_id, state FROM run JOIN geopython.task_log USING (task_id)),
         failed AS (SELECT task_id FROM log WHERE state = 'FAILURE' EXCEPT SELECT task_id FROM done),
         again AS (SELECT task_id FROM log WHERE state = 'RETRY')
    SELECT (SELECT count(*) FROM done),
           (SELECT count(*) FROM failed),
           (SELECT count(*) FROM again),
           (SELECT count(*) FROM (TABLE again EXCEPT TABLE done EXCEPT TABLE failed) AS due)
""").bindparams(bindparam("ids", type_=ARRAY(Uuid)))


@dataclass(frozen=True)
class Progress:
    """Where the tasks of a run are.

    Attributes
    ----------
    sent : int
        Tasks put on the queue.
    done, failed : int
        Tasks that ended: as a row in `grid_squares`, or for good.
    retried : int
        Retries so far; one task can have several.
    waiting : int
        Tasks in the queue that no worker has taken yet.
    due : int
        Tasks that wait for the time of their retry.
    running : int
        The others: a worker has them now.
    """

    sent: int
    done: int
    failed: int
    retried: int
    waiting: int
    due: int
    running: int

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{self.sent:,} sent: {self.done:,} done, {self.failed:,} failed, {self.waiting:,} waiting, "
            f"{self.running:,} running, {self.due:,} due for a retry; {self.retried:,} retries so far"
        )


def progress(run: list[Published] | None = None) -> Progress:
    """Count where the tasks of a run are now.

    Parameters
    ----------
    run : list of Published, optional
        The tasks; by default those of this notebook's latest cell that sent some.
    """
    tasks = latest_run() if run is None else run
    done, failed, retried, due = execute(_COUNT, {"ids": uuids(task.id for task in tasks)}).one()
    left = len(tasks) - done - failed
    waiting = min(tasks_in_queue(broker_url()), left)
    due = min(due, left - waiting)
    return Progress(len(tasks), done, failed, retried, waiting, due, left - waiting - due)


def task_ids(run: list[Published] | None = None) -> list[str]:
    """Return the ids of the tasks of a run; by default of this notebook's latest cell that sent some."""
    return [task.id for task in (latest_run() if run is None else run)]


def read_log(task_ids: Iterable[str]) -> "DataFrame":
    """Return what the task log says about some tasks.

    Parameters
    ----------
    task_ids : iterable of str
        The tasks.

    Returns
    -------
    pandas.DataFrame
        A row for each retry and each final failure, oldest first: task_id, state (``RETRY`` or
        ``FAILURE``), attempt, error, error_type, worker, at.
    """
    log = db.TaskLog
    columns = (log.task_id, log.state, log.attempt, log.error, log.worker, log.at)
    statement = select(*columns).where(among(log.task_id, uuids(task_ids))).order_by(log.id)
    from pandas import DataFrame  # most who import this count tasks only

    rows = DataFrame(execute(statement).all(), columns=[column.key for column in columns])
    return rows.assign(error_type=rows.error.astype(str).str.split(":").str[0])


def watch(run: list[Published] | None = None, patience: float = 60, quiet: bool = False) -> Progress:
    """Show a line of progress until every task of a run has ended, through outages too.

    Parameters
    ----------
    run : list of Published, optional
        The tasks; by default those of this notebook's latest cell that sent some.
    patience : float
        Seconds to wait while nothing changes at all.
    quiet : bool
        Whether to show nothing meanwhile.

    Returns
    -------
    Progress
        How the run ended.

    Raises
    ------
    WorkshopError
        If nothing changed for `patience` seconds. The tasks are not lost; the sentence says where they are.
    """
    tasks = latest_run() if run is None else run
    quiet_since, before, said = time.monotonic(), None, ""
    interval = 0.2 if sys.stderr.isatty() or "ipykernel" in sys.modules else 5
    shape = "{percentage:3.0f}%|{bar:10}| {elapsed}, {rate_fmt}{postfix}"
    with tqdm(
        unit=" tasks", bar_format=shape, total=1, mininterval=interval, file=sys.stdout, disable=quiet
    ) as line:
        while True:
            now = _progress_if_all_answer(tasks)
            known, said = said, _not_ready()
            line.set_postfix_str(_short(now) + said, refresh=said not in ("", known))
            if now:
                line.total = now.sent
                line.update(now.done + now.failed - line.n)
            if now and now.done + now.failed == now.sent:
                return now
            if now and astuple(now) != before:
                quiet_since, before = time.monotonic(), astuple(now)
            if time.monotonic() - quiet_since > patience:
                where = now or "RabbitMQ or PostGIS does not answer"
                raise WorkshopError(f"Nothing has changed for {patience:.0f} s. {where}.", "workshop status")
            time.sleep(0.2)


def _progress_if_all_answer(tasks: list[Published]) -> Progress | None:
    """Count where the tasks are; None while the broker or the database is away."""
    try:
        return progress(tasks)
    except (OSError, BrokerError, ConnectionLost, DatabaseError):
        return None


def _short(now: Progress | None) -> str:
    if now is None:
        return "no answer for now"
    return (
        f"waiting {now.waiting:,}, running {now.running:,}, done {now.done:,}, "
        f"retried {now.retried:,}, failed {now.failed:,}"
    )


def _not_ready() -> str:
    """Return which services of this machine are not ready, and what happened to them."""
    services = state_folder.services().items()
    missing = {name: each for name, each in services if each["state"] != "ready"}
    said = {name: f" ({each['message']})" if each["message"] else "" for name, each in missing.items()}
    return "".join(f"; {name} is {each['state']}{said[name]}" for name, each in missing.items())
