"""Runs the services: starts them side by side, reloads them, and stops them all.

One process per stack runs this, with a `Keeper` for each service: all in its main thread, but for what
blocks, such as asking a service whether it is ready. How each service is stands in ``stack.json``, which
``workshop status`` and `workshop.settings` read. Once all are ready, only a person ends it: what goes wrong
beside them, such as a full disk, is said once and tried again.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from backstage.stack import plan, watch
from backstage.stack.central_config import open_to_others
from backstage.stack.keeper import Keeper
from backstage.stack.process import allow_many_files, born
from backstage.stack.site import Site
from backstage.stack.status import say_news
from workshop import json_files, state_folder
from workshop.errors import WorkshopError

_LOOK = 1
"""Seconds until code and settings are looked at again, at the latest."""


@dataclass
class Supervisor:
    """The services of one stack.

    Attributes
    ----------
    site : Site
        Where the stack lives.
    names : tuple of str
        The parts to run, as `backstage.stack.plan.services` takes them.
    say : callable
        Shows a line to the person who started the stack.
    """

    site: Site
    names: tuple[str, ...]
    say: Callable[[str], None]
    _keepers: dict[str, Keeper] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _matches: dict[str, Any] = field(default_factory=dict)
    _told: dict[str, tuple[list[str], Any]] = field(default_factory=dict)
    _saved: dict[Path, tuple[int, int]] = field(default_factory=dict)
    _said: list[str] = field(default_factory=list)
    _problems: set[str] = field(default_factory=set)
    _ready: bool = False
    _stopping: bool = False
    _warned: bool = False

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call `when_ready`, and keep it running until a signal asks to stop.

        Raises
        ------
        WorkshopError
            If not all that is needed became ready. Everything is stopped by then.
        """
        self._hear_signals()
        allow_many_files()
        self._saved = watch.saved()
        try:
            self._follow_settings()
            while not self._stopping:
                self._forget_the_gone()
                self._try(self._tell)
                if self._ready:
                    self._try(self._follow_code)
                    self._try(self._follow_settings)
                elif self._has_started():
                    when_ready()
                    self._ready = True
                    self._changed.set()
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK):
                        await self._changed.wait()
                self._changed.clear()
            self.say("Stopping ... (Ctrl-C once more ends everything at once)")
        finally:
            await self._stop_all()
        if not self._ready:
            raise WorkshopError("It was stopped before everything was ready.")

    def _hear_signals(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._hear, number)

    def _hear(self, number: int) -> None:
        """Stop; Ctrl-C once more ends everything at once, and while a class is open it asks first."""
        ctrl_c = number == signal.SIGINT
        if ctrl_c and self._stopping:
            for keeper in self._keepers.values():
                keeper.kill()
        elif ctrl_c and not self._warned and (address := open_to_others()):
            self._warned = True
            self.say(f"A class is open at {address}: its machines would wait. Ctrl-C once more stops all.")
        else:
            self._stopping = True
            self._changed.set()

    def _has_started(self) -> bool:
        """Return whether each service is ready, or known not to be."""
        return all(keeper.status.state in ("ready", "broken") for keeper in self._keepers.values())

    def _try(self, step: Callable[[], None]) -> None:
        """Do what belongs beside the services; whatever fails is said once, and the services go on."""
        try:
            step()
        except Exception as error:  # the name of a file in it may be another one each time
            problem = f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"
            if problem not in self._problems:
                self.say(f"The services go on, but: {problem}")
                self._problems.add(problem)

    def _follow_code(self) -> None:
        """Reload what runs the code that attendees edit, if that was saved and compiles."""
        before, self._saved = self._saved, watch.saved()
        if not (changed := before.items() ^ self._saved.items()):
            return
        name, problem = min(path for path, _ in changed).name, watch.syntax_error()
        for keeper in self._keepers.values():
            if not keeper.service.reloads or keeper.status.state == "stopping":
                continue
            if problem:
                older = "still the version before: " if keeper.status.state == "ready" else ""
                keeper.note(keeper.status.state, f"{older}{problem}")
            else:
                keeper.start(keeper.service, f"{name} was saved")

    def _follow_settings(self) -> None:
        """Start what is wanted, stop what is not, and start anew what is to run differently or elsewhere."""
        now = plan.wishes()
        if now == self._matches:
            return
        wanted = plan.services(self.names)
        self._matches = now
        for name in self._keepers.keys() - wanted.keys():
            self._keepers[name].stop()
            self._told.pop(name, None)
        for name, service in wanted.items():
            told = service.command(self.site), now.get(service.follows)
            if told != self._told.get(name):
                self._told[name] = told
                keeper = Keeper(self.site, self._keepers, self._changed.set, may_fail=self._ready)
                self._keepers.setdefault(name, keeper).start(service)
        self._changed.set()

    def _forget_the_gone(self) -> None:
        """Forget the services that have ended for good; raise what a start failed with."""
        for name, keeper in [*self._keepers.items()]:
            if keeper.task and keeper.is_gone():
                with suppress(asyncio.CancelledError):
                    keeper.task.result()
                del self._keepers[name]

    def _tell(self) -> None:
        """Say which services are ready or broken now and were not before, and write ``stack.json``."""
        services = {name: asdict(keeper.status) for name, keeper in self._keepers.items()}
        self._said = say_news(services, self._said, self.say)
        content = state_folder.here() | {
            "pid": os.getpid(),
            "born": born(os.getpid()),
            "ready": self._ready,
            "ports": self.site.ports,
            "broker_url": self.site.broker_url,
            "database_url": self.site.database_url,
            "matches": self._matches,
            "services": services,
        }
        if content != json_files.read(self.site.state / "stack.json"):
            json_files.write(self.site.state / "stack.json", content)

    async def _stop_all(self) -> None:
        """Stop workers and Flower first, while they still have a broker and a database to finish with."""
        self._stopping = True
        for needs_others in (True, False):
            last = [each for each in self._keepers.values() if bool(each.service.needs) == needs_others]
            for keeper in last:
                keeper.stop()
            await asyncio.gather(*(keeper.until_gone() for keeper in last))
        (self.site.state / "stack.json").unlink(missing_ok=True)
