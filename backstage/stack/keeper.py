"""Keeps one service running: starts it, waits until it ends or must start anew, and starts it again."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from signal import Signals
from subprocess import Popen

from backstage.stack import logs
from backstage.stack.process import born, kill_session, spawn
from backstage.stack.service import START_AFRESH, NotReady, Service, StartFailed, Status, in_words
from backstage.stack.site import Site
from backstage.stack.watch import syntax_error

TICK = 0.1
_LONGEST_PAUSE = 30
_ASK_AGAIN = 3
_LOOK_AGAIN = 1


@dataclass
class Keeper:
    """The life of one service.

    Attributes
    ----------
    service : Service
        What to run.
    site : Site
        Where the stack lives.
    keepers : dict of str to Keeper
        All of this stack, by the service's name: it starts once those are ready that it needs.
    say : callable
        Shows a line to the person who started the stack.
    status : Status
        How it is.
    leaves : bool
        Whether its service ends for good.
    hurry : bool
        Whether its service has no time to end its work.
    """

    service: Service
    site: Site
    keepers: dict[str, "Keeper"]
    say: Callable[[str], None]
    status: Status = field(default_factory=Status)
    leaves: bool = False
    hurry: bool = False
    _process: Popen[bytes] | None = None
    _anew: bool = False
    _ever_ready: bool = False
    _pause: float = 0

    def start_anew(self, service: Service) -> None:
        """Let the service end its work and start again, as `service` now; too late if it leaves."""
        if not self.leaves:
            self.service = service
            self.status.state = "starting"
            self._pause = 0
            self._anew = True

    def leave(self) -> None:
        """Let the service end its work, and end."""
        self.status.state = "stopping"
        self.leaves = True

    def tell(self, message: str) -> None:
        """Note what happened to the service, and show it."""
        self.status.message = message
        self.say(f"{self.service.name:<10} {message}")

    async def run(self) -> None:
        """Keep the service running until it is to leave.

        Raises
        ------
        StartFailed
            If it can't be started and the others can't do without it.
        """
        while not self.leaves:
            self._anew = False
            began = time.monotonic()
            try:
                problem = await self._live()
            finally:
                await self._stop()
            if not self._moves_on():
                await self._recover(problem, time.monotonic() - began)

    async def _live(self) -> str:
        """Run the service once, and return what ended it."""
        await self._until(self._has_what_it_needs)
        if self._moves_on():
            return ""
        if self.service.reloads and (problem := syntax_error()):
            self.status.state = "broken"
            self.tell(problem)
            await self._until(lambda: False)
            return ""
        began = time.monotonic()
        self.status.state = "starting"
        try:
            await self._start()
        except StartFailed:
            raise
        except Exception as error:  # whatever it is, the other services go on
            return in_words(error)
        if not self._moves_on():
            self._ever_ready = True
            self.status.state = "ready"
            self.status.seconds = round(time.monotonic() - began, 1)
            self.say(f"{self.service.name:<10} ready after {self.status.seconds} s")
        return await self._until_ended()

    def _moves_on(self) -> bool:
        """Return whether this life of the service is to end."""
        return self._anew or self.leaves

    def _has_what_it_needs(self) -> bool:
        needed = [self.keepers[name] for name in self.service.needs if name in self.keepers]
        return all(keeper.status.state == "ready" for keeper in needed)

    async def _start(self) -> None:
        await asyncio.to_thread(self.service.prepare, self.site)
        if self.service.command(self.site) and not self._moves_on():
            self._process = spawn(self.service, self.site)
            self.status.pid, self.status.born = self._process.pid, born(self._process.pid)
        await self._until_answering()
        if self._moves_on():
            return
        try:
            await asyncio.to_thread(self.service.finish, self.site)
        except StartFailed as error:
            if not self._ever_ready:
                raise
            self.tell(str(error))

    async def _until_answering(self) -> None:
        end = time.monotonic() + self.service.patience
        while not self._moves_on():
            trouble = await asyncio.to_thread(self.service.trouble, self.site)
            if how := self._how_it_ended():
                raise NotReady(how)
            if trouble is None:
                return
            if time.monotonic() > end:
                raise NotReady(f"it did not answer within {self.service.patience:.0f} s: {trouble}")
            await asyncio.sleep(TICK)

    async def _until_ended(self) -> str:
        """Wait until the program ends, or does not answer if someone else runs it; return the problem."""
        if self._process:
            await self._until(lambda: self._how_it_ended() is not None)
            return self._how_it_ended() or ""
        trouble = None
        while not self._moves_on() and trouble is None:
            await asyncio.sleep(_LOOK_AGAIN)
            trouble = await asyncio.to_thread(self.service.trouble, self.site)
        return trouble or ""

    def _how_it_ended(self) -> str | None:
        """Return with what the program ended; None if it runs, or if someone else runs it."""
        code = self._process.poll() if self._process else None
        if code is None:
            return None
        if code < 0:
            return f"it was ended by {Signals(-code).name}"
        error = logs.last_error(self.site.log(self.service.name)) if code else None
        return f"it ended with exit code {code}{f': {error}' if error else ''}"

    async def _recover(self, problem: str, lived: float) -> None:
        if self.service.essential and not self._ever_ready:
            raise StartFailed(self._explain(problem))
        watched = not self.service.command(self.site)
        soon = lived > _LONGEST_PAUSE or watched
        self._pause = 1 if soon else min(self._pause * 2 or 1, _LONGEST_PAUSE)
        again = time.monotonic() + self._pause
        self.status.state = "broken"
        self.status.restarts += 1
        self.tell(
            f"{datetime.now():%H:%M:%S} {problem}; {'looked at' if watched else 'started'} again "
            f"after {self._pause:.0f} s"
        )
        await self._until(lambda: time.monotonic() > again)

    def _explain(self, problem: str) -> str:
        log = self.site.log(self.service.name)
        text = (
            f"{self.service.name} did not start: {problem}\nThe last lines of {log}:\n{logs.tail(log)}\n"
            "Everything is stopped. Next: mend what these lines name, then workshop up.\n"
            f"More of them: workshop logs {self.service.name}. What else is wrong here: workshop doctor"
        )
        return f"{text}\nIts data can't be read. {START_AFRESH}" if logs.tell_of_spoilt_data(log) else text

    async def _until(self, condition: Callable[[], bool]) -> None:
        while not self._moves_on() and not condition():
            await asyncio.sleep(TICK)

    async def _stop(self) -> None:
        """Ask the program to end, wait, and end what is left of it."""
        if (process := self._process) is None:
            return
        end = time.monotonic() + self.service.patience
        ask = 0.0
        while process.poll() is None and time.monotonic() < end and not self.hurry:
            if time.monotonic() > ask:  # Erlang misses a signal in its first moments
                process.send_signal(self.service.stop_signal)
                ask = time.monotonic() + _ASK_AGAIN
            await asyncio.sleep(TICK)
        kill_session(process.pid)
        process.wait()
        self._process = None
