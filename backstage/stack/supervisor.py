"""Runs the services: starts them side by side, reloads them, and stops them all.

One process per stack runs this, in one thread, with a `Keeper` for each service. How each service is
stands in ``stack.json``, which ``workshop status`` and `workshop.settings` read. Once all are ready, only
a person ends it: what goes wrong beside them, such as a full disk, is said once and tried again.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from functools import partial
from typing import Any

from backstage.stack import containers, plan
from backstage.stack.condition import StartFailed
from backstage.stack.forward import forward
from backstage.stack.keeper import TICK, Keeper
from backstage.stack.process import allow_many_files, born, end_with_leader
from backstage.stack.service import Service
from backstage.stack.site import Site
from backstage.stack.watch import code_changes, syntax_error
from backstage.stack.workers import machine_name
from workshop import state_folder
from workshop.errors import WorkshopError


class Supervisor:
    """The services of one stack.

    Parameters
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

    def __init__(
        self, site: Site, names: tuple[str, ...], periodic: bool, say: Callable[[str], None]
    ) -> None:
        self.site = site
        self.names = names
        self.periodic = periodic
        self.say = say
        self._keepers: dict[str, Keeper] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        self._matches: dict[str, Any] = {}
        self._wrong: dict[str, str] = {}

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
        beside = [self._follow_code, self._follow_settings, end_with_leader, self._end_with_cards]
        if containers.inside() and "lab" in self.names:
            beside += [partial(forward, self.site, page) for page in ("flower", "management")]
        followers = [asyncio.create_task(self._outlive(follow)) for follow in beside]
        ready = False
        self.say(f"Starting {', '.join(self.names)} ...")
        try:
            self._match()
            await self._until_ready()
            ready = True
            when_ready()
            await asyncio.gather(*followers)
        except asyncio.CancelledError:
            self.say("Stopping ... (Ctrl-C once more ends everything at once)")
        finally:
            for follower in followers:
                follower.cancel()
            await self._stop_all()
        if not ready:
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

    async def _outlive(self, follow: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run something beside the services; they go on whatever becomes of it."""
        try:
            await follow()
        except Exception as error:
            self.say(f"{type(error).__name__}: {error}")

    def _match(self) -> None:
        """Start what is wanted, stop what is not, and start anew what is to run differently or elsewhere."""
        now = _wishes()
        wanted = plan.services(self.names, self.periodic)
        if now["joined"] != self._matches.get("joined"):
            for each in self._reloading():
                each.start_anew(each.service)
        self._matches = now
        for name in self._keepers.keys() - wanted.keys():
            self._tasks[name].add_done_callback(partial(self._gone, name))
            self._dismiss(name)
        for name, service in wanted.items():
            keeper = self._keepers.get(name)
            if keeper is None:
                self._keepers[name] = keeper = Keeper(service, self.site, self._may_start, self._changed)
                self._tasks[name] = asyncio.create_task(keeper.run())
            elif service.command(self.site) != keeper.service.command(self.site):
                keeper.start_anew(service)
        self.write()

    def _dismiss(self, name: str) -> None:
        """Let a keeper stop its service; a second cancel would keep it from doing so."""
        if self._keepers[name].condition.state != "stopping":
            self._keepers[name].condition.state = "stopping"
            self._tasks[name].cancel()

    def _gone(self, name: str, task: asyncio.Task[None]) -> None:
        if self._tasks.get(name) is task and not self._stopping:
            del self._keepers[name], self._tasks[name]
            self._match()

    def _may_start(self, service: Service) -> bool:
        needed = [self._keepers[name] for name in service.needs if name in self._keepers]
        return all(keeper.condition.state == "ready" for keeper in needed)

    async def _until_ready(self) -> None:
        while any(keeper.condition.state not in ("ready", "broken") for keeper in self._keepers.values()):
            for task in self._tasks.values():
                if task.done():
                    task.result()
            await asyncio.sleep(TICK)

    async def _follow_code(self) -> None:
        async for name in code_changes(self._tell_workers):
            problem = syntax_error()
            for keeper in self._reloading():
                if not problem:
                    keeper.start_anew(keeper.service)
                    keeper.note(message=f"{name} was saved")
                elif keeper.condition.state == "ready":
                    keeper.note(message=f"still the version before: {problem}")
                else:
                    keeper.note(message=problem)

    def _tell_workers(self, text: str) -> None:
        for keeper in self._reloading():
            keeper.note(message=text)

    async def _follow_settings(self) -> None:
        """Do what the settings say, and write down what could not be written before."""
        while True:
            await asyncio.sleep(TICK)
            try:
                if _wishes() != self._matches:
                    self._match()
                elif self._wrong.get("disk"):
                    self.write()
                self._complain("settings", "")
            except (WorkshopError, OSError, ValueError) as error:
                self._complain("settings", str(error))

    def _complain(self, about: str, text: str) -> None:
        """Say what is wrong with something, once; an empty text means that it is right again."""
        if text and text != self._wrong.get(about):
            self.say(text)
        self._wrong[about] = text

    async def _end_with_cards(self) -> None:
        """Stop a central when its machines' accounts end: RabbitMQ knows no end of an account."""
        while not self.site.central or not self.site.central.expired:
            await asyncio.sleep(5)
        self.say("The cards have ended, and so does the central.")
        os.kill(os.getpid(), signal.SIGTERM)

    def _reloading(self) -> list[Keeper]:
        return [keeper for keeper in self._keepers.values() if keeper.service.reloads]

    def _changed(self, keeper: Keeper, news: dict[str, object]) -> None:
        """Show what is new of a service, and write it down."""
        if news.get("state") == "ready":
            self.say(f"{keeper.service.name:<10} ready after {keeper.condition.seconds} s")
        elif news.get("message"):
            self.say(f"{keeper.service.name:<10} {keeper.condition.message}")
        self.write()

    def write(self) -> None:
        """Write ``stack.json``."""
        content = state_folder.here() | {
            "pid": os.getpid(),
            "born": born(os.getpid()),
            "ports": self.site.ports,
            "broker_url": self.site.broker_url,
            "database_url": self.site.database_url,
            "matches": self._matches,
            "services": {
                name: asdict(keeper.condition) | {"machine": machine_name()}
                for name, keeper in self._keepers.items()
            },
        }
        try:
            state_folder.write(containers.own("stack.json"), content)
            self._complain("disk", "")
        except OSError as error:
            self._complain(
                "disk", f"The services go on, but their state can't be written down: {error.strerror}"
            )

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


def _wishes() -> dict[str, Any]:
    """Return what people and notebooks want now, by file."""
    return {name: state_folder.read(f"{name}.json") for name in ("settings", "joined")}
