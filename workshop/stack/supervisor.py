"""Runs the services: starts them side by side, watches them, reloads them, and stops them all.

One process per stack runs this, in one thread. Each service has a keeper: a loop that starts the
program, waits until it ends or must reload, and starts it again. How each service is stands in
``stack.json``, which ``workshop status`` and `workshop.settings` read.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from subprocess import Popen

from workshop import settings
from workshop.stack import lab, postgis, rabbitmq, workers
from workshop.stack.process import born, kill_session, spawn, tail
from workshop.stack.service import NotReady, Service
from workshop.stack.site import Site
from workshop.stack.watch import code_changes, settings_changes, syntax_error

NAMES = ("postgis", "rabbitmq", "worker", "flower", "lab")
"""The five parts of the course, as in docker-compose.yml."""

_TICK = 0.1
_LONGEST_PAUSE = 30


class StartFailed(Exception):
    """A service did not become ready; the text says which, why, and what to do."""


@dataclass
class Condition:
    """How a service is.

    Attributes
    ----------
    state : str
        ``waiting`` for others, ``starting``, ``ready``, or ``broken`` until it is mended.
    pid, born : int and float, optional
        Its process, and when that was started (seconds since 1970).
    seconds : float, optional
        How long the last start took.
    restarts : int
        How often it ended by itself.
    message : str
        What last happened to it.
    """

    state: str = "waiting"
    pid: int | None = None
    born: float | None = None
    seconds: float | None = None
    restarts: int = 0
    message: str = ""


class Supervisor:
    """The services of one stack.

    Parameters
    ----------
    site : Site
        Where the stack lives.
    names : tuple of str
        The parts to run, out of `NAMES`.
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
        self.conditions: dict[str, Condition] = {}
        self._services: dict[str, Service] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._leaving: list[asyncio.Task[None]] = []
        self._reload: set[str] = set()

    async def run(self, when_ready: Callable[[], None]) -> None:
        """Start everything, call `when_ready`, and keep it running until a signal asks to stop.

        Raises
        ------
        StartFailed
            If a service that the others need does not become ready. Everything is stopped by then.
        """
        this = asyncio.current_task()
        assert this is not None
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, this.cancel)
        try:
            self._match()
            await self._until_ready()
            when_ready()
            await asyncio.gather(self._follow_code(), self._follow_settings())
        except asyncio.CancelledError:
            self.say("Stopping ...")
        finally:
            await self._stop_all()

    def _wanted(self) -> dict[str, Service]:
        known = {"postgis": postgis.SERVICE, "rabbitmq": rabbitmq.SERVICE, "lab": lab.SERVICE}
        known |= {"flower": workers.FLOWER}
        services = {name: known[name] for name in self.names if name in known}
        if "rabbitmq" in self.names:
            services["epmd"] = rabbitmq.EPMD
        if "worker" in self.names:
            processes = int(settings.get("processes") or os.cpu_count() or 1)
            for number in range(1, int(settings.get("workers") or 1) + 1):
                services[f"worker{number}"] = workers.worker(number, processes)
        if self.periodic:
            services["periodic"] = workers.periodic()
        return services

    def _match(self) -> None:
        """Make the keepers that are wanted, let go of the others, and reload what is to run differently."""
        wanted = self._wanted()
        for name in self._keepers.keys() - wanted.keys():
            keeper = self._keepers.pop(name)
            keeper.cancel()
            self._leaving.append(keeper)
        for name, service in wanted.items():
            if name not in self._keepers:
                self.conditions[name] = Condition()
                self._keepers[name] = asyncio.create_task(self._keep(name))
            elif service.command(self.site) != self._services[name].command(self.site):
                self._reload.add(name)
        self._services = wanted
        self.write()

    async def _until_ready(self) -> None:
        while not all(condition.state in ("ready", "broken") for condition in self.conditions.values()):
            for keeper in self._keepers.values():
                if keeper.done():
                    keeper.result()
            await asyncio.sleep(_TICK)

    async def _follow_code(self) -> None:
        async for name in code_changes():
            problem = syntax_error()
            for service in self._reloading():
                if problem:
                    self._note(service, message=f"still the version before: {problem}")
                else:
                    self._note(service, message=f"{name} was saved")
                    self._reload.add(service)

    async def _follow_settings(self) -> None:
        async for name in settings_changes(self.site.state):
            self._match()
            if name == "joined.json":
                self._reload.update(self._reloading())

    def _reloading(self) -> list[str]:
        return [name for name, service in self._services.items() if service.reloads]

    async def _keep(self, name: str) -> None:
        """Keep one service running: the loop of its life."""
        process: Popen[bytes] | None = None
        pause = 0.0
        ever_ready = False
        try:
            while True:
                service = self._services[name]
                self._reload.discard(name)
                await self._until_needs_ready(service)
                problem = syntax_error() if service.reloads else None
                if problem:
                    self._note(name, state="broken", message=problem)
                    await self._until_reload(name)
                    continue
                began = time.monotonic()
                self._note(name, state="starting")
                await asyncio.to_thread(service.prepare, self.site)
                process = spawn(service, self.site)
                self._note(name, pid=process.pid, born=born(process.pid))
                problem = await self._until_answering(service, process)
                if problem is None:
                    await asyncio.to_thread(service.finish, self.site)
                    ever_ready = True
                    self._note(name, state="ready", seconds=round(time.monotonic() - began, 1))
                    while process.poll() is None and name not in self._reload:
                        await asyncio.sleep(_TICK)
                if name in self._reload:
                    pause = 0.0
                    await _stop(service, process)
                    continue
                problem = problem or f"it ended with exit code {process.poll()}"
                await _stop(service, process)
                if service.essential and not ever_ready:
                    raise StartFailed(self._explain(name, problem))
                pause = (
                    1.0 if time.monotonic() - began > _LONGEST_PAUSE else min(pause * 2 or 1, _LONGEST_PAUSE)
                )
                self._note(name, state="broken", restarts=self.conditions[name].restarts + 1)
                self._note(
                    name, message=f"{datetime.now():%H:%M:%S} {problem}; started again after {pause:.0f} s"
                )
                await self._until_reload(name, pause)
        finally:
            if process is not None:
                await _stop(self._services.get(name, service), process)
            self.conditions.pop(name)
            self.write()

    async def _until_needs_ready(self, service: Service) -> None:
        while any(
            self.conditions[need].state != "ready" for need in service.needs if need in self.conditions
        ):
            await asyncio.sleep(_TICK)

    async def _until_reload(self, name: str, seconds: float = float("inf")) -> None:
        end = time.monotonic() + seconds
        while name not in self._reload and time.monotonic() < end:
            await asyncio.sleep(_TICK)

    async def _until_answering(self, service: Service, process: Popen[bytes]) -> str | None:
        """Return None once the service answers, else what is wrong."""
        end = time.monotonic() + service.patience
        while time.monotonic() < end and service.name not in self._reload:
            if process.poll() is not None:
                return f"it ended with exit code {process.poll()}"
            try:
                await asyncio.to_thread(service.probe, self.site)
            except NotReady as reason:
                problem = str(reason)
                await asyncio.sleep(_TICK)
            else:
                return None
        return f"it did not answer within {service.patience:.0f} s: {problem}"

    def _explain(self, name: str, problem: str) -> str:
        log = self.site.log(name)
        return (
            f"{name} did not start: {problem}.\nThe last lines of {log}:\n{tail(log)}\nNext: workshop doctor"
        )

    def _note(self, name: str, **news: object) -> None:
        """Change what is known of a service, show it, and write it down."""
        condition = self.conditions[name]
        for key, value in news.items():
            setattr(condition, key, value)
        if news.get("state") == "ready":
            self.say(f"{name:<10} ready after {condition.seconds} s")
        elif news.get("message"):
            self.say(f"{name:<10} {condition.message}")
        self.write()

    def write(self) -> None:
        """Write ``stack.json``."""
        for name in self._reload & self.conditions.keys():
            self.conditions[name].state = "starting"
        content = {
            "pid": os.getpid(),
            "born": born(os.getpid()),
            "ports": self.site.ports,
            "broker_url": self.site.broker_url,
            "database_url": self.site.database_url,
            "matches": settings.read("settings.json"),
            "services": {name: asdict(condition) for name, condition in self.conditions.items()},
        }
        settings.write("stack.json", content)

    async def _stop_all(self) -> None:
        """Stop workers and pages first, so that they still have a broker and a database to finish with."""
        essential = {name for name, service in self._services.items() if service.essential}
        for names in (self._keepers.keys() - essential, essential):
            keepers = [self._keepers[name] for name in names]
            for keeper in keepers:
                keeper.cancel()
            await asyncio.gather(*keepers, *self._leaving, return_exceptions=True)
        (self.site.state / "stack.json").unlink(missing_ok=True)


async def _stop(service: Service, process: Popen[bytes]) -> None:
    """Ask a program to end, wait, and end what is left of it."""
    if process.poll() is None:
        process.send_signal(service.stop_signal)
    end = time.monotonic() + service.patience
    while process.poll() is None and time.monotonic() < end:
        await asyncio.sleep(_TICK)
    kill_session(process.pid)
    process.wait()
