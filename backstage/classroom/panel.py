"""The panel's board: the squares of one run of tasks, as the ledger follows it, and what holds it up."""

import math
import time
from collections.abc import Iterator
from typing import Any

from backstage.classroom.board import Board, Doer, Who, by_number, seconds_left
from workshop import live, settings, state_folder
from workshop.colours import shade
from workshop.delivery import record
from workshop.delivery.ledger import Ledger, follow

_WORKS = 3
"""For so many seconds after its last square a worker is said to work."""

_NONE = record.Run("", "", "")


class Panel(Board):
    """The latest run of one process, such as a notebook's kernel.

    Parameters
    ----------
    run : str
        The name of a run, or the part of it that says whose; empty for the latest run of all.
    """

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self._run = _NONE
        self._record: tuple[Any, ...] = ()
        self._follow: Iterator[Ledger] = iter(())
        self._first: tuple[float, int] | None = None

    def look(self) -> None:
        """Ask the ledger what is new; a run that is over is asked no more."""
        try:
            self._find()
            if not self._run.tasks:
                self.words = {"trouble": "No task was sent yet. The panel begins by itself."}
            elif now := next(self._follow, None):
                self._say(now)
        except Exception:
            self._record = ()  # the next look begins with the whole run
            raise

    def _find(self) -> None:
        """Look for the run, and follow it anew if the record has grown."""
        path = state_folder.state_dir() / record.FILE
        size = (path.stat().st_ino, path.stat().st_size) if path.exists() else ()
        now = (settings.broker_url(), *size)  # what was sent elsewhere is not looked for here
        if now == self._record:
            return
        self._record, before = now, self._run.id
        every = [run for run in record.runs() if self.run in ("", run.id, run.id.partition("-")[0])]
        self._run = next((run for run in reversed(every) if run.tasks), _NONE)
        self._follow = follow(self._run.tasks, math.inf)
        if self._run.id != before:
            self.clear()
            self.doers, self.nations, self._first = {}, {}, None
            self._drawn: set[str] = set()

    def _say(self, now: Ledger) -> None:
        if new := now.rows.keys() - self._drawn:
            self.read(settings.database_url(), _kind(), record.uuids(new))
            self._drawn |= new
        at, ended = live.count(now), len(now.published) - len(now.open)
        self._first = began, first = self._first or (time.monotonic(), ended)
        rates = self.rates({**self.done, "": ended})
        self.words = {
            "title": f"{self._run.source}: {100 * ended // (at.sent or 1)} %",
            "bar": (ended, at.sent),
            "totals": [
                ("done", f"{at.done:,} of {at.sent:,}"),
                ("waiting", f"{at.waiting:,}"),
                ("running", f"{at.running:,}"),
                ("due for a retry", f"{at.due:,}"),
                ("retries", f"{at.retried:,}"),
                ("failed", f"{at.failed:,}"),
                ("per second", f"{rates['']:.1f}" if now.open else "–"),
                ("so far", f"{(ended - first) / ((time.monotonic() - began) or 1):.1f}"),
            ],
            "left": seconds_left(len(now.open), rates[""]),
            "legend": self.legend(),
            "heads": [_kind(), "squares", "per s", "share", "now"],
            "rows": self._rows(rates, bool(now.open)),
            "trouble": _trouble(now),
            "over": now.answered and not now.open,
        }

    def _rows(self, rates: dict[str, float], at_work: bool) -> list[dict[str, Any]]:
        services = state_folder.services().items()
        states = {name: each["state"] for name, each in services if name.startswith(_kind())}
        idle = states.keys() - {who.partition("@")[0] for who in self.doers}
        rows = []
        for who in sorted([*self.doers, *idle], key=by_number):
            works = at_work and self.doers.get(who, Doer()).seen < _WORKS
            state = "works" if works else states.get(who.partition("@")[0], "quiet")
            rows.append(self.row(who, rates.get(who, 0), not works, state))
        return rows

    def colour(self, who: str) -> str:
        """Return a machine's colour; that of workers is by the order in which they came."""
        return super().colour(who) if settings.joined() else shade(self.who.index(who))


def _kind() -> Who:
    return "machine" if settings.joined() else "worker"


def _trouble(now: Ledger) -> str:
    said = live.not_ready().removeprefix("; ")
    if not now.answered:
        said = f"RabbitMQ or PostGIS does not answer. This goes on by itself. {said}"
    if now.paused:
        said += f" The workers pause for {now.paused:.0f} s."
    for number, what in ((len(now.missing), "missing"), (len(now.unsent), "not sent")):
        said += f" {number:,} tasks are {what}. Next: workshop ledger." if number else ""
    return said.strip() + (f" {len(now.elsewhere):,} were sent to another queue." if now.elsewhere else "")
