"""The runs of `benchmarks.queue_choice`: each has its own virtual host, a real worker and the real task."""

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.broker import Broker, dead_ids, length
from benchmarks.idle import longest_gap, longest_idle
from benchmarks.queue_worker import produce, worker
from workshop.delivery.topology import SQUARES
from workshop.stack.queues import declare

GUESTS = {
    "events": {"tasks": r"^task\.square$", "amq.topic": r"^(task|worker)\."},
    "silent": {"tasks": r"^task\.square$"},
}
"""Where each kind of guest's worker may send, and with which routing keys. It may declare nothing at all."""

_HOST = "bench"
_TASK = "WHERE task_id = ANY(%s::uuid[])"
_ROWS = f"SELECT task_id::text, extract(epoch FROM processed_at)::float FROM geopython.grid_squares {_TASK}"
_RETRIES = f"""
    SELECT task_id::text, extract(epoch FROM at)::float, countdown / %s
    FROM geopython.task_log {_TASK} AND state = 'RETRY'"""


@dataclass(frozen=True)
class Case:
    """One thing to measure.

    Attributes
    ----------
    name : str
        Its name in the table.
    tasks, bad : int
        How many tasks, and how many more that fail for good.
    environment : dict of str to str
        What the worker and the producer get; see `benchmarks.queue_app`.
    poison : bool
        Whether one task kills its process.
    """

    name: str
    tasks: int
    bad: int = 0
    environment: dict[str, str] = field(default_factory=dict)
    poison: bool = False


@dataclass(frozen=True)
class Bench:
    """Where to measure.

    Attributes
    ----------
    broker : Broker
        The broker, with its administrator.
    database_url : str
        The course's database, as SQLAlchemy writes it.
    patience : float
        Seconds without a new row after which a run is over.
    longest : float
        Seconds after which it is over in any case.
    """

    broker: Broker
    database_url: str
    patience: float = 40
    longest: float = 240

    def measure(self, case: Case) -> dict[str, Any]:
        """Run one case, and return its figures."""
        with tempfile.TemporaryDirectory(prefix="bench-") as folder, self._host(case) as (admin, url):
            note = Path(folder, "poison")
            own = {"WORKSHOP_BROKER_URL": url, "WORKSHOP_DATABASE_URL": self.database_url}
            environment = os.environ | own | case.environment
            arguments = [str(case.tasks), "--bad", str(case.bad)]
            arguments += ["--note", str(note)] if case.poison else []
            with worker(environment, Path(folder, "log"), lambda: length(admin, SQUARES.name)[1] > 0):
                sent = produce(arguments, environment)
                self._until_still(admin, sent)
            dead = dead_ids(admin)
            return (
                {"case": case.name}
                | self._figures(case, sent, dead)
                | _poison(note, dead & {*sent["poison"]})
            )

    @contextmanager
    def _host(self, case: Case) -> Iterator[tuple[str, str]]:
        """Make the virtual host; yield its address for the administrator, and for the worker."""
        admin = self.broker.fresh_host(_HOST)
        try:
            if topics := GUESTS.get(case.environment.get("BENCH_GUEST", "")):
                declare(admin)
                yield admin, self.broker.guest(_HOST, "machine", "squares", topics)
            else:
                yield admin, admin
        finally:
            self.broker.remove_host(_HOST)

    def _until_still(self, admin: str, sent: dict[str, Any]) -> None:
        wanted = sum(len(sent[kind]) for kind in ("ids", "bad", "poison"))
        seen, since, began = -1, time.monotonic(), time.monotonic()
        while max(time.monotonic() - since - self.patience, time.monotonic() - began - self.longest) < 0:
            ended = len(self._read(_ROWS, sent["ids"])) + length(admin, "dead")[0]
            if ended >= wanted:
                return
            if ended != seen:
                seen, since = ended, time.monotonic()
            time.sleep(0.2)

    def _figures(self, case: Case, sent: dict[str, Any], dead: set[str]) -> dict[str, Any]:
        haste = float(case.environment.get("WORKSHOP_HASTE", 1))
        rows, retries = dict(self._read(_ROWS, sent["ids"])), self._read(_RETRIES, haste, sent["ids"])
        tasks = {*sent["ids"], *sent["bad"]}
        return {
            "tasks": len(tasks),
            "rows": len(rows),
            "dead": len(dead & tasks),
            "lost": len(tasks - rows.keys() - dead),
            "retries": len(retries),
            "seconds": round(max(rows.values(), default=0) - sent["began"], 1),
            "sending": round(sent["seconds"], 1),
            "gap": round(longest_gap(rows), 1),
            "idle": round(longest_idle(rows, retries, sent["began"]), 1),
        }

    def _read(self, query: str, *values: object) -> list[Any]:
        with psycopg.connect(self.database_url.replace("+psycopg", "")) as database:
            return database.execute(query, values).fetchall()


def _poison(note: Path, dead: set[str]) -> dict[str, Any]:
    if not note.exists():
        return {"poison": ""}
    runs = [float(line) for line in note.read_text().split()]
    end = "dead letter" if dead else "no end"
    return {"poison": f"{len(runs)} runs in {runs[-1] - runs[0]:.0f} s, {end}"}
