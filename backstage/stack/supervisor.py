"""Runs the services: starts them side by side, reloads them, and stops them all.

One process per stack runs this, in one thread, with a `Keeper` for each service. How each service is
stands in ``stack.json``, which ``workshop status`` and `workshop.settings` read. Once all are ready, only
a person ends it: what goes wrong beside them, such as a full disk, is said once and tried again.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from backstage.stack import containers, plan
from backstage.stack.forward import forward
from backstage.stack.keeper import TICK, Keeper
from backstage.stack.process import allow_many_files, born
from backstage.stack.service import StartFailed
from backstage.stack.site import Site
from backstage.stack.watch import code_changes, syntax_error
from backstage.stack.workers import machine_name
from workshop import state_folder

_TRY_AGAIN = 1
"""Seconds until what failed beside the services is tried again."""


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
    _ready: bool = False
    _stopping: bool = False
    _unwritten: bool = False

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call `when_ready`, and keep it running until a signal asks to stop.

        Raises
        ------
        StartFailed
            If not all that is needed became ready. Everything is stopped by then.
        """
        self._hear_signals(asyncio.current_task())
        if self.site.central:
            allow_many_files()
        beside: list[Callable[[], Coroutine[Any, Any, None]]]
        beside = [self._follow_code, self._follow_settings, self._end_in_time]
        if containers.inside() and "lab" in self.names:
            beside += [partial(forward, self.site, page) for page in ("flower", "management")]
        followers = [asyncio.create_task(self._persist(follow)) for follow in beside]
        self.say(f"Starting {', '.join(self.names)} ...")
        try:
            self._match()
            await self._until_ready()
            when_ready()
            self._ready = True
            self._write()
            await asyncio.gather(*followers)
        except asyncio.CancelledError:
            self.say("Stopping ... (Ctrl-C once more ends everything at once)")
        finally:
            for follower in followers:
                follower.cancel()
            await self._stop_all()
        if not self._ready:
            raise StartFailed("It was stopped before everything was ready.")

    def _hear_signals(self, run: asyncio.Task | None) -> None:
        def stop(number: int) -> None:
            if not self._stopping and run is not None:
                self._stopping = True
                run.cancel()
            elif number == signal.SIGINT:
                for keeper in self._keepers.values():
                    keeper.hurry = True

        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, stop, number)

    async def _persist(self, follow: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something beside the services, once more where it fails; why it fails is said once."""
        said = ""
        while True:
            try:
                return await follow()
            except Exception as error:  # whatever it is, the services go on
                if str(error) != said:
                    said = str(error)
                    self.say(f"{type(error).__name__}: {error}")
            await asyncio.sleep(_TRY_AGAIN)

    def _match(self) -> None:
        """Start what is wanted, stop what is not, and start anew what is to run differently or elsewhere."""
        now = wishes()
        wanted = plan.services(self.names, self.periodic)
        if now["joined"] != self._matches.get("joined"):
            for each in self._reloading():
                each.start_anew(each.service)
        self._matches = now
        for name in self._stopped():
            del self._keepers[name], self._tasks[name]
        for name in self._keepers.keys() - wanted.keys():
            self._dismiss(name)
        for name, service in wanted.items():
            if name not in self._keepers:
                self._keepers[name] = keeper = Keeper(service, self.site, self._keepers, self._changed)
                self._tasks[name] = asyncio.create_task(keeper.run())
            elif service.command(self.site) != self._keepers[name].service.command(self.site):
                self._keepers[name].start_anew(service)
        self._write()

    def _dismiss(self, name: str) -> None:
        """Let a keeper stop its service; a second cancel would keep it from doing so."""
        if self._keepers[name].status.state != "stopping":
            self._keepers[name].status.state = "stopping"
            self._tasks[name].cancel()

    def _stopped(self) -> list[str]:
        return [name for name, task in self._tasks.items() if task.cancelled()]

    async def _until_ready(self) -> None:
        while any(keeper.status.state not in ("ready", "broken") for keeper in self._keepers.values()):
            for task in self._tasks.values():
                if task.done() and not task.cancelled():  # those that are not wanted any more are
                    task.result()
            await asyncio.sleep(TICK)

    async def _follow_code(self) -> None:
        async for name in code_changes():
            problem = syntax_error()
            for keeper in self._reloading():
                if not problem:
                    keeper.start_anew(keeper.service)
                    keeper.note(message=f"{name} was saved")
                else:
                    older = "still the version before: " if keeper.status.state == "ready" else ""
                    keeper.note(message=f"{older}{problem}")

    async def _follow_settings(self) -> None:
        """Do what the settings say, and write down what could not be written before."""
        while True:
            await asyncio.sleep(TICK)
            if wishes() != self._matches or self._stopped():
                self._match()
            elif self._unwritten:
                self._write()

    async def _end_in_time(self) -> None:
        """Stop when the process ends that ``WORKSHOP_LEADER`` names, and a central when its cards end.

        So a central ends with the stack of the machine that started it, however that one ends. RabbitMQ
        itself knows no end of an account.
        """
        leader = int(os.environ.get("WORKSHOP_LEADER") or 0)
        since = born(leader) if leader else None
        while not leader or (since is not None and born(leader) == since):
            if self.site.central and self.site.central.expired:
                self.say("The cards have ended, and so does the central.")
                break
            await asyncio.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    def _reloading(self) -> list[Keeper]:
        return [keeper for keeper in self._keepers.values() if keeper.service.reloads]

    def _changed(self, keeper: Keeper, news: dict[str, object]) -> None:
        """Show what is new of a service, and write it down."""
        if news.get("state") == "ready":
            self.say(f"{keeper.service.name:<10} ready after {keeper.status.seconds} s")
        elif news.get("message"):
            self.say(f"{keeper.service.name:<10} {keeper.status.message}")
        self._write()

    def _write(self) -> None:
        """Write ``stack.json``."""
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
        try:
            state_folder.write(containers.own("stack.json"), content)
            self._unwritten = False
        except OSError as error:
            if not self._unwritten:
                self.say(f"The services go on, but their state can't be written down: {error.strerror}")
            self._unwritten = True

    async def _stop_all(self) -> None:
        """Stop first what nobody needs, so that workers still have a broker and a database to finish with."""
        self._stopping = True
        left = set(self._keepers)
        while left:
            needed = {need for name in left for need in self._keepers[name].service.needs}
            for name in left - needed:
                self._dismiss(name)
            await asyncio.gather(*(self._tasks[name] for name in left - needed), return_exceptions=True)
            left &= needed
        (self.site.state / containers.own("stack.json")).unlink(missing_ok=True)


def wishes() -> dict[str, Any]:
    """Return what people and notebooks want now, by file."""
    return {name: state_folder.read(f"{name}.json") for name in ("settings", "joined")}
