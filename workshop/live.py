"""How far a run of tasks is, as the ledger says it: what people look at meanwhile.

In JupyterLab that is a panel, a page of the wall's own program (`backstage.classroom.wall_page`): so it costs
the kernel nothing, and goes on while a cell runs. Elsewhere it is a line of text.
"""

import os
import sys
from base64 import b64encode
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from tqdm import tqdm

from workshop import db, settings, state_folder
from workshop.database import among, execute, fetch
from workshop.delivery.ledger import Ledger, follow, ledger
from workshop.delivery.record import PROCESS, Published, latest_run, uuids
from workshop.delivery.sender import shell
from workshop.errors import WorkshopError

if TYPE_CHECKING:
    from pandas import DataFrame

_DUE = """
    SELECT count(DISTINCT task_id) FROM geopython.task_log
    WHERE task_id = ANY(%(ids)s) AND state = 'RETRY'
      AND at + coalesce(countdown, 10) * interval '1 s' > now()
"""
_WHERE = """
    SELECT style_cat, array_agg(floor(y / 1000)::int * 700 + floor(x / 1000)::int)
    FROM geopython.grid_squares
    WHERE task_id = ANY(%(ids)s) AND x >= 0 AND x < 700000 AND y >= 0 AND y < 1300000 GROUP BY style_cat
"""

_panel: Any = None
"""The output of JupyterLab that shows the panel, until `watch` leaves a still picture there."""


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
        Tasks that wait for the time of their retry, in the queue or at a worker.
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
    return count(ledger(latest_run() if run is None else run))


def count(now: Ledger) -> Progress:
    """Count where the tasks of a ledger are; the database is asked which of them are due for a retry."""
    left, failed = len(now.open), len(now.failed)
    again = uuids({line.task_id for line in now.retries} & now.open.keys())
    due = len(again)
    with suppress(sa.exc.DBAPIError):  # an outage that began after the ledger's look
        due = fetch(_DUE, {"ids": again})[0][0] if again else 0
    waiting = max(0, min(now.waiting, left) - due)  # while others wait, those that are due do so among them
    retried, elsewhere = now.retried.total(), len(now.elsewhere)
    running = left - waiting - due
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
    statement = sa.select(*columns).where(among(log.task_id, uuids(task_ids))).order_by(log.id)
    from pandas import DataFrame  # most who import this count tasks only

    rows = DataFrame(execute(statement).all(), columns=[column.key for column in columns])
    return rows.assign(error_type=rows.error.astype(str).str.split(":").str[0])


def panel(run: list[Published] | None = None) -> None:
    """Show the live panel in JupyterLab: it follows this notebook's latest run, whatever the kernel does.

    Where there is no JupyterLab, a line says what to do instead.

    Parameters
    ----------
    run : list of Published, optional
        The tasks of one run, to see that one only.
    """
    global _panel
    if not _in_lab():
        print("JupyterLab shows the live panel here. Elsewhere live.watch() follows the tasks.")
        return
    from IPython.display import display

    below = os.environ.get("JUPYTERHUB_SERVICE_PREFIX") or "/"
    address = f"{below}wall/panel?run={run[0].run if run else PROCESS}"
    style = "width:100%;height:27em;border:0;color-scheme:light dark"
    html = f'<iframe title="Live panel of the tasks" src="{escape(address)}" style="{style}"></iframe>'
    _panel = display({"text/html": html, "text/plain": "The live panel"}, raw=True, display_id=True)


def watch(run: list[Published] | None = None, patience: float = 60, quiet: bool = False) -> Progress:
    """Show how far a run is until every task of it has ended, through outages too.

    In JupyterLab the panel shows it. At the end a still picture and a table are left in its place. Elsewhere
    it is a line with a bar; where ``WORKSHOP_SEED`` is set, so that outputs can be compared, only its end.

    Parameters
    ----------
    run : list of Published, optional
        The tasks; by default those of this notebook's latest cell that sent some.
    patience : float
        Seconds to wait while nothing changes at all.
    quiet : bool
        Whether to show nothing.

    Returns
    -------
    Progress
        How the run ended.

    Raises
    ------
    WorkshopError
        If nothing changed for `patience` seconds. The tasks are not lost; the sentence says where they are.
    """
    global _panel
    tasks = latest_run() if run is None else run
    in_lab, repeatable = _in_lab(), settings.seed() is not None
    if in_lab and not quiet and _panel is None:
        panel(tasks)
    shown = _panel
    if not quiet:
        _panel = None  # the next run has its own, also if this one stalls or is interrupted
    now = _follow(tasks, patience, hidden=quiet or in_lab or repeatable)
    if now.open or not now.answered:
        where = count(now) if now.answered else "RabbitMQ or PostGIS does not answer"
        raise WorkshopError(f"Nothing has changed for {patience:.0f} s. {where}.", "workshop status")
    end = count(now)
    if in_lab and not quiet:
        shown.update(_still(now, end), raw=True)
    if not quiet and (in_lab or repeatable):
        print(end)
    return end


def _in_lab() -> bool:
    """Return whether this is a kernel of JupyterLab, whose server names the notebook; not one's child."""
    return "JPY_SESSION_NAME" in os.environ and shell() is not None


def _follow(tasks: list[Published], patience: float, hidden: bool) -> Ledger:
    """Show a line until the tasks have ended, or patience has; what was done before counts for no rate."""
    interval, said = 0.2 if sys.stderr.isatty() or "ipykernel" in sys.modules else 5, ""
    began = False
    shape = "{desc}|{bar:10}| {elapsed}<{remaining}, {rate_fmt}{postfix}"
    with tqdm(
        unit=" tasks", bar_format=shape, total=1, mininterval=interval, file=sys.stdout, disable=hidden
    ) as line:
        for now in follow(tasks, patience):
            known, said = said, not_ready()
            line.total = len(now.published) or 1
            ended = line.total - len(now.open)
            if now.answered and not began:
                line.initial, line.n, began = ended, ended, True
            line.set_description_str(f"{100 * ended // line.total:3}%", refresh=False)
            line.set_postfix_str(_short(now) + said, refresh=said not in ("", known))
            line.update(ended - line.n)
    return now


def _short(now: Ledger) -> str:
    if not now.answered:
        return "no answer for now"
    at = count(now)
    return (
        f"waiting {at.waiting:,}, running {at.running:,}, due {at.due:,}, done {at.done:,}, "
        f"retried {at.retried:,}, failed {at.failed:,}"
    )


def not_ready() -> str:
    """Return which services of this machine are not ready, and what happened to them; empty if all are."""
    services = state_folder.services().items()
    missing = {name: each for name, each in services if each["state"] != "ready"}
    said = {name: f" ({each['message']})" if each["message"] else "" for name, each in missing.items()}
    return "".join(f"; {name} is {each['state']}{said[name]}" for name, each in missing.items())


def _still(now: Ledger, end: Progress) -> dict[str, str]:
    """Return a picture of the squares of a run and a table with their numbers, for the saved notebook."""
    from workshop import maps, raster  # which load the tables' libraries

    found = fetch(_WHERE, {"ids": uuids(now.rows)})
    squares = {code: np.array(its, np.int32) for code, its in found}
    png = raster.png(squares, "nation")
    counts = {name: f"{len(squares.get(code, ())):,}" for code, (name, _) in maps.NATIONS.items()}
    words = ", ".join(f"{name} {number}" for name, number in counts.items())
    rows = "".join(
        f'<tr><th scope="row">{name}</th><td>{number}</td></tr>' for name, number in counts.items()
    )
    source = f"data:image/png;base64,{b64encode(png).decode()}"
    html = (
        f'<div style="display:flex;gap:2em;align-items:center">'
        f'<img width="200" alt="Map of the squares: {words}" src="{source}">'
        f"<table><caption>{end}</caption><tr><th>nation</th><th>squares</th></tr>{rows}</table></div>"
    )
    return {"text/html": html, "text/plain": str(end)}
