"""How far a run of tasks is, as the ledger says it: what people look at meanwhile."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from tqdm import tqdm

from workshop import db, state_folder
from workshop.database import among, execute
from workshop.delivery.ledger import Ledger, follow, ledger
from workshop.delivery.record import Published, latest_run, uuids
from workshop.errors import WorkshopError

if TYPE_CHECKING:
    from pandas import DataFrame


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
    elsewhere : int
        Tasks that were sent to another queue, before this machine joined a central or left it. They are in
        none of the other numbers.
    """

    sent: int
    done: int
    failed: int
    retried: int
    waiting: int
    due: int
    running: int
    elsewhere: int = 0

    def __str__(self) -> str:
        """Say it in words."""
        return (
            f"{self.sent:,} sent: {self.done:,} done, {self.failed:,} failed, {self.waiting:,} waiting, "
            f"{self.running:,} running, {self.due:,} due for a retry; {self.retried:,} retries so far"
            f"{f'; {self.elsewhere:,} sent to another queue' if self.elsewhere else ''}"
        )


def progress(run: list[Published] | None = None) -> Progress:
    """Count where the tasks of a run are now.

    Parameters
    ----------
    run : list of Published, optional
        The tasks; by default those of this notebook's latest cell that sent some.
    """
    return _count(ledger(latest_run() if run is None else run))


def _count(now: Ledger) -> Progress:
    failed, left = len(now.failed), len(now.open)
    waiting = min(now.waiting, left)
    due = min(len({line.task_id for line in now.retries} & now.open.keys()), left - waiting)
    retried = now.retried.total()
    running, elsewhere = left - waiting - due, len(now.elsewhere)
    return Progress(len(now.published), len(now.rows), failed, retried, waiting, due, running, elsewhere)


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
    tasks, said = latest_run() if run is None else run, ""
    interval = 0.2 if sys.stderr.isatty() or "ipykernel" in sys.modules else 5
    shape = "{percentage:3.0f}%|{bar:10}| {elapsed}<{remaining}, {rate_fmt}{postfix}"
    with tqdm(
        unit=" tasks", bar_format=shape, total=1, mininterval=interval, file=sys.stdout, disable=quiet
    ) as line:
        for now in follow(tasks, patience):
            known, said = said, _not_ready()
            line.set_postfix_str(_short(now) + said, refresh=said not in ("", known))
            line.total = len(now.published)
            line.update(line.total - len(now.open) - line.n)
    if now.open or not now.answered:
        where = _count(now) if now.answered else "RabbitMQ or PostGIS does not answer"
        raise WorkshopError(f"Nothing has changed for {patience:.0f} s. {where}.", "workshop status")
    return _count(now)


def _short(now: Ledger) -> str:
    if not now.answered:
        return "no answer for now"
    count = _count(now)
    return (
        f"waiting {count.waiting:,}, running {count.running:,}, done {count.done:,}, "
        f"retried {count.retried:,}, failed {count.failed:,}"
    )


def _not_ready() -> str:
    """Return which services of this machine are not ready, and what happened to them."""
    services = state_folder.services().items()
    missing = {name: each for name, each in services if each["state"] != "ready"}
    said = {name: f" ({each['message']})" if each["message"] else "" for name, each in missing.items()}
    return "".join(f"; {name} is {each['state']}{said[name]}" for name, each in missing.items())
