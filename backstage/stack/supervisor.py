"""Runs the services: starts them side by side, reloads them, and stops them all.

One process per stack runs this, in one thread, with a `Keeper` for each service. How each service is
stands in ``stack.json``, which ``workshop status`` and `workshop.settings` read. Once all are ready, only
a person ends it: what goes wrong beside them, such as a full disk, is said once and tried again.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backstage.stack import containers, plan, watch
from backstage.stack.central_config import open_to_others, opened
from backstage.stack.forward import forward
from backstage.stack.keeper import Keeper
from backstage.stack.process import allow_many_files, born
from backstage.stack.service import StartFailed
from backstage.stack.site import Site
from backstage.stack.workers import machine_name, rehearsed
from workshop import state_folder

_LOOK = 0.2
"""Seconds between two looks at everything; one takes a millisecond."""


@dataclass
class Supervisor:
    """The services of one stack.

    Attributes
    ----------
    site : Site
        Where the stack lives.
    names : tuple of str
        The parts to run, out of `backstage.stack.plan.NAMES`.
    periodic : bool
        Whether to run the periodic tasks too.
    say : callable
        Shows a line to the person who started the stack.
    """

    site: Site
    names: tuple[str, ...]
    periodic: bool
    say: Callable[[str], None]
    _keepers: dict[str, Keeper] = field(default_factory=dict)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _matches: dict[str, Any] = field(default_factory=dict)
    _saved: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _leader_born: float | None = None
    _written: dict[str, Any] = field(default_factory=dict)
    _problems: set[str] = field(default_factory=set)
    _ready: bool = False
    _stopping: bool = False
    _warned: bool = False

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call `when_ready`, and keep it running until a signal asks to stop.

        Raises
        ------
        StartFailed
            If not all that is needed became ready. Everything is stopped by then.
        """
        self._hear_signals()
        allow_many_files()
        if containers.inside() and "lab" in self.names:
            for page in ("flower", "management"):
                await forward(self.site, page, self.say)
        self._leader_born = born(_leader()) if _leader() else None
        self._saved = watch.saved()
        self.say(f"Starting {', '.join(self.names)} ...")
        try:
            self._match()
            while not self._stopping:
                self._try(self._follow_code, self._follow_settings, self._end_in_time, self._write)
                if not self._ready and self._has_started():
                    when_ready()
                    self._ready = True
                await asyncio.sleep(_LOOK)
            self.say("Stopping ... (Ctrl-C once more ends everything at once)")
        finally:
            await self._stop_all()
        if not self._ready:
            raise StartFailed("It was stopped before everything was ready.")

    def _hear_signals(self) -> None:
        def stop(number: int) -> None:
            address = open_to_others()
            if address and number == signal.SIGINT and not self._warned:
                self._warned = True
                self.say(
                    f"A class is open at {address}: its machines would wait. Ctrl-C once more stops all."
                )
                return
            if self._stopping and number == signal.SIGINT:
                for keeper in self._keepers.values():
                    keeper.hurry = True
            self._stopping = True

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)

    def _has_started(self) -> bool:
        """Return whether each service is ready, or known not to be; raise what a start failed with."""
        for task in self._tasks.values():
            if task.done():
                task.result()
        return all(keeper.status.state in ("ready", "broken") for keeper in self._keepers.values())

    def _try(self, *steps: Callable[[], None]) -> None:
        """Do what belongs beside the services; whatever fails is said once, and the services go on."""
        problems = set()
        for step in steps:
            try:
                step()
            except Exception as error:  # the name of a file in it may be another one each time
                reason = getattr(error, "strerror", None) or error
                problems.add(f"The services go on, but: {type(error).__name__}: {reason}")
        for problem in problems - self._problems:
            self.say(problem)
        self._problems = problems

    def _follow_code(self) -> None:
        before, self._saved = self._saved, watch.saved()
        if changed := before.items() ^ self._saved.items():
            name, problem = min(path for path, _ in changed).name, watch.syntax_error()
            for keeper in self._reloading():
                if not problem:
                    keeper.start_anew(keeper.service)
                    keeper.tell(f"{name} was saved")
                else:
                    older = "still the version before: " if keeper.status.state == "ready" else ""
                    keeper.tell(f"{older}{problem}")

    def _follow_settings(self) -> None:
        left = [name for name, task in self._tasks.items() if task.done() and self._keepers[name].leaves]
        for name in left:
            del self._keepers[name], self._tasks[name]
        if left or wishes() != self._matches:
            self._match()

    def _match(self) -> None:
        """Start what is wanted, stop what is not, and start anew what is to run differently or elsewhere."""
        now = wishes()
        wanted = plan.services(self.names, self.periodic)
        for keeper in self._keepers.values():
            if (news := keeper.service.follows) and now[news] != self._matches[news]:
                keeper.start_anew(keeper.service)
        self._matches = now
        for name in self._keepers.keys() - wanted.keys():
            self._keepers[name].leave()
        for name, service in wanted.items():
            if name not in self._keepers:
                self._keepers[name] = keeper = Keeper(service, self.site, self._keepers, self.say)
                self._tasks[name] = asyncio.create_task(keeper.run())
            elif service.command(self.site) != self._keepers[name].service.command(self.site):
                self._keepers[name].start_anew(service)

    def _reloading(self) -> list[Keeper]:
        return [keeper for keeper in self._keepers.values() if keeper.service.reloads]

    def _end_in_time(self) -> None:
        """Stop when the process ends that ``WORKSHOP_LEADER`` names, such as that of a run of the tests."""
        if _leader() and (self._leader_born is None or born(_leader()) != self._leader_born):
            self._stopping = True

    def _write(self) -> None:
        """Write ``stack.json`` if something is new."""
        content = state_folder.here() | {
            "pid": os.getpid(),
            "born": born(os.getpid()),
            "ready": self._ready,
            "ports": self.site.ports,
            "broker_url": self.site.broker_url,
            "database_url": self.site.database_url,
            "matches": self._matches,
            "services": {
                name: asdict(keeper.status) | {"machine": machine_name()}
                for name, keeper in self._keepers.items()
            },
        }
        if content != self._written:
            state_folder.write(containers.own("stack.json"), content)
            self._written = content

    async def _stop_all(self) -> None:
        """Stop first what nobody needs, so that workers still have a broker and a database to finish with."""
        self._stopping = True
        left = set(self._keepers)
        while left:
            needed = {need for name in left for need in self._keepers[name].service.needs}
            for name in left - needed:
                self._keepers[name].leave()
            await asyncio.gather(*(self._tasks[name] for name in left - needed), return_exceptions=True)
            left &= needed
        (self.site.state / containers.own("stack.json")).unlink(missing_ok=True)


def _leader() -> int:
    return int(os.environ.get("WORKSHOP_LEADER") or 0)


def wishes() -> dict[str, Any]:
    """Return what people and notebooks want now: by file, and of a central."""
    files = {name: state_folder.read(f"{name}.json") for name in ("settings", "joined")}
    flower = bool((central := opened()) and central.flower)
    return files | {"address": open_to_others(), "flower": flower, "rehearsed": rehearsed()}
