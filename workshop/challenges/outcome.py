"""What became of the tasks of a run: from the rows, the task log, the queues and the workers themselves."""

import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ARRAY, Uuid, any_, literal, select
from tqdm import tqdm

from workshop import db, live, settings
from workshop.connection import execute
from workshop.delivery import dead
from workshop.delivery.record import Published, uuids
from workshop.delivery.report import ask_workers
from workshop.stack.running import workers_ready

PATIENCE = 20
"""Seconds without any change after which a check stops waiting."""

FAR = 60
"""A retry that is due later than this many seconds is not waited for."""


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
class Outcome:
    """Where the tasks of a run are.

    Attributes
    ----------
    sent : int
        How many tasks were sent.
    rows : dict
        Attempt and worker of each stored square, by task id.
    log : list of LogLine
        Retries and failures, oldest first.
    waiting : int
        Messages in the queue, whoever sent them.
    held : dict
        Seconds until each task that a worker has is due; 0 where it may run.
    dead : set
        Tasks whose message is in the queue `dead`, though the log knows no failure.
    missing : set
        Tasks that ended without a row and without a failure; at a central queue nobody can tell.
    """

    sent: int
    rows: dict[str, tuple[int, str]]
    log: list[LogLine]
    waiting: int = 0
    held: dict[str, float] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    missing: set[str] = field(default_factory=set)

    @property
    def failures(self) -> list[LogLine]:
        """The final failures."""
        return [line for line in self.log if line.state == "FAILURE"]

    @property
    def retries(self) -> list[LogLine]:
        """The retries; one that was delivered again counts once."""
        once = {(line.task_id, line.attempt): line for line in self.log if line.state == "RETRY"}
        return list(once.values())

    @property
    def ended(self) -> int:
        """Tasks that will not change any more."""
        return len({line.task_id for line in self.failures} | self.rows.keys() | self.dead | self.missing)

    @property
    def over(self) -> bool:
        """Whether no task is left to wait for; those due far in the future are not waited for."""
        return self.ended == self.sent or (
            not self.waiting and bool(self.held) and min(self.held.values()) > FAR
        )


def settle(tasks: Sequence[Published]) -> Outcome:
    """Wait until the tasks of a run have ended, and say so meanwhile.

    Parameters
    ----------
    tasks : sequence of Published
        The run.

    Returns
    -------
    Outcome
        How they ended; or where they are, if nothing changed for `PATIENCE` seconds.
    """
    now = look(tasks)
    if now.over:
        return now
    since = began = time.monotonic()
    first = now.ended
    with tqdm(bar_format="{desc}", leave=False, file=sys.stdout, mininterval=0) as line:
        while not now.over and time.monotonic() - since < PATIENCE:
            line.set_description_str(_in_words(now, first, time.monotonic() - began))
            time.sleep(0.3)
            before, now = now, look(tasks)
            if _changed(before, now):
                since = time.monotonic()
    return now


def look(tasks: Sequence[Published]) -> Outcome:
    """Return where the tasks of a run are now."""
    ids = {task.id for task in tasks}
    waiting = live.tasks_in_queue()
    held = {} if waiting else _held()
    now = Outcome(len(ids), _rows(ids), _log(ids), waiting)
    if waiting or now.ended == now.sent:
        return now
    now.held = {id: due for id, due in held.items() if id in ids - now.rows.keys()}
    unknown = ids - now.rows.keys() - {line.task_id for line in now.failures} - now.held.keys()
    if unknown:
        now.dead = unknown & dead_letters(unknown)
        now.missing = _really_missing(unknown - now.dead)
    return now


def dead_letters(wanted: set[str]) -> set[str]:
    """Return which tasks have their message in the queue `dead`; the messages stay there."""
    return {letter.id for letter in dead.letters()} & wanted


def most_common_error(lines: Sequence[LogLine]) -> str:
    """Return the text of the error that occurs most often, without the point it names."""
    kinds = Counter(line.error_type for line in lines).most_common(1)
    return next((line.error for line in lines if line.error_type == kinds[0][0]), "") if kinds else ""


def _held() -> dict[str, float]:
    reports = ask_workers(settings.broker_url(), expected=workers_ready())
    return {id: due for report in reports.values() for id, due in report["held"].items()}


def _really_missing(ids: set[str]) -> set[str]:
    """Return which tasks are nowhere at a second look either; a message may be on its way."""
    if not ids or settings.joined():  # another machine's worker may have them
        return set()
    time.sleep(0.3)
    if live.tasks_in_queue():
        return set()
    ids = ids - _held().keys()
    return ids - _rows(ids).keys() - {line.task_id for line in _log(ids)} - dead_letters(ids)


def _changed(before: Outcome, now: Outcome) -> bool:
    def numbers(outcome: Outcome) -> tuple[int, ...]:
        return outcome.ended, len(outcome.log), outcome.waiting, len(outcome.held)

    waits = bool(now.held) and min(now.held.values()) > 0
    return waits or numbers(before) != numbers(now)


def _in_words(now: Outcome, ended_first: int, seconds: float) -> str:
    left = now.sent - now.ended
    done = now.ended - ended_first
    rate = done / seconds if seconds else 0
    guess = max([left / rate if rate else 0, *now.held.values()])
    about = f", about {guess:.0f} s" if guess else ""
    return f"Still running: {left:,} waiting{about}"


def _rows(ids: set[str]) -> dict[str, tuple[int, str]]:
    square = db.GridSquare
    return {
        str(row.task_id): (row.attempt, row.worker)
        for row in _of(ids, square.task_id, square.task_id, square.attempt, square.worker)
    }


def _log(ids: set[str]) -> list[LogLine]:
    log = db.TaskLog
    columns = (log.id, log.task_id, log.state, log.attempt, log.error, log.countdown)
    found = sorted(_of(ids, log.task_id, *columns), key=lambda row: row.id)
    return [LogLine(str(row.task_id), row.state, row.attempt, row.error, row.countdown) for row in found]


def _of(ids: set[str], task_id: Any, *columns: Any) -> Sequence[Any]:
    wanted = literal(uuids(ids), ARRAY(Uuid))
    return execute(select(*columns).where(task_id == any_(wanted))).all()
