"""Keeps one service running: starts it, waits until it ends, and starts it again."""

import asyncio
import os
import time
from asyncio.subprocess import Process
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from signal import Signals

from backstage.stack import logs
from backstage.stack.process import born, kill_session, spawn
from backstage.stack.service import NotReady, Service, Status, in_words
from backstage.stack.site import Site
from backstage.stack.texts import words
from backstage.stack.watch import syntax_error
from workshop.errors import WorkshopError

PATIENCE = 60
"""Seconds until a program must answer, and until it must have ended."""

_PROBE_AGAIN = 0.1
_ASK_AGAIN = 3
_LONGEST_PAUSE = 30


@dataclass
class Keeper:
    """The life of one service: a task, whose cancellation lets the program end its work.

    Attributes
    ----------
    site : Site
        Where the stack lives.
    keepers : dict of str to Keeper
        All of this stack, by the service's name: it starts once those are ready that it needs.
    changed : callable
        Called when the service is otherwise than before.
    status : Status
        How it is.
    service : Service
        What it is to run as.
    task : asyncio.Task, optional
        Its present life; the one before may still end the program's work (see `is_gone`).
    may_fail : bool
        Whether the others go on without it: it was ready once, or all of them were before it was wanted.
    """

    site: Site
    keepers: dict[str, "Keeper"]
    changed: Callable[[], None]
    status: Status = field(default_factory=Status)
    service: Service = field(init=False)
    task: asyncio.Task[None] | None = None
    may_fail: bool = False
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    _alone: asyncio.Lock = field(default_factory=asyncio.Lock)
    _process: Process | None = None

    def start(self, service: Service, message: str = "") -> None:
        """Run a service's program; one that runs ends its work before."""
        self.stop()
        self.service = service
        self.task = asyncio.create_task(self._keep())
        self.task.add_done_callback(lambda _: self.changed())
        self.note("waiting", message)

    def stop(self) -> None:
        """Let the program end its work, and end."""
        if self.task and not self.task.cancelling():
            self.task.cancel()
        self.note("stopping")

    def is_gone(self) -> bool:
        """Return whether the service has ended for good, and its program too."""
        return self.task is not None and self.task.done() and not self._alone.locked()

    async def until_gone(self) -> None:
        """Wait until the service has ended for good, and its program too."""
        if self.task:
            await asyncio.gather(self.task, return_exceptions=True)
        async with self._alone:  # a life before may still end the program's work
            pass

    def kill(self) -> None:
        """End the program at once."""
        self.stop()
        if self._process:
            kill_session(self._process.pid)

    def note(self, state: str, message: str = "") -> None:
        """Note how the service is, and what last happened to it."""
        self.status.state = state
        self.status.message = message or self.status.message
        self.changed()

    async def _keep(self) -> None:
        """Run the service, again and again, until this task is cancelled."""
        pause = 0
        async with self._alone:
            while True:
                began = time.monotonic()
                try:
                    problem = await self._live()
                finally:
                    self._ready.clear()
                    await self._end()
                lasted = time.monotonic() - began > _LONGEST_PAUSE
                pause = 1 if lasted else min(pause * 2 or 1, _LONGEST_PAUSE)
                self.status.restarts += 1
                self.note("broken", f"{datetime.now():%H:%M:%S} {problem}; started again after {pause} s")
                await asyncio.sleep(pause)

    async def _live(self) -> str:
        """Run the service once, and return what ended it."""
        for need in self.service.needs:
            if need in self.keepers:
                await self.keepers[need]._ready.wait()
        if self.service.reloads and (problem := syntax_error()):
            self.note("broken", problem)
            await asyncio.Event().wait()  # until a file is saved, which starts it anew
        self.note("starting")
        try:
            process = await self._start()
        except Exception as error:  # whatever it is, the other services go on
            if self.service.essential and not self.may_fail:
                raise WorkshopError(self._explain(error)) from error
            return in_words(error)
        self.may_fail = True
        self._ready.set()
        self.note("ready")
        return self._how_it_ended(await process.wait())

    async def _start(self) -> Process:
        await asyncio.to_thread(self.service.prepare, self.site)
        self._process = process = await spawn(self.service, self.site)
        self.status.pid, self.status.born = process.pid, born(process.pid)
        self.changed()
        end = time.monotonic() + PATIENCE
        while (trouble := await self._trouble()) and process.returncode is None:
            if time.monotonic() > end:
                raise NotReady(f"it did not answer within {PATIENCE} s: {trouble}")
            await asyncio.sleep(_PROBE_AGAIN)
        if process.returncode is not None:  # who answers then is another program
            raise NotReady(self._how_it_ended(process.returncode))
        try:
            await asyncio.to_thread(self.service.finish, self.site)
        except WorkshopError as error:  # it runs, and ending it mends nothing
            if not self.may_fail:
                raise
            self.status.message = str(error)
        return process

    async def _trouble(self) -> str | None:
        return await asyncio.to_thread(self.service.trouble, self.site)

    def _how_it_ended(self, code: int) -> str:
        if code < 0:
            return f"it was ended by {Signals(-code).name}"
        error = logs.failure(logs.latest(self.site.log(self.service.name))) if code else ""
        return f"it ended with exit code {code}{f': {error}' if error else ''}"

    def _explain(self, error: Exception) -> str:
        """Return what a person reads of a first start that failed."""
        if isinstance(error, WorkshopError):
            return str(error)
        log = self.site.log(self.service.name)
        reason, lines = in_words(error), logs.tail(log)
        said = words("did-not-start", name=self.service.name, reason=reason, log=log, lines=lines)
        spoilt = logs.tell_of_spoilt_data(log)
        return f"{said}\nIts data can't be read. {words('start-afresh')}" if spoilt else said

    async def _end(self) -> None:
        """Ask the program to end, wait, and end what is left of it."""
        if self._process is None:
            return
        end = time.monotonic() + PATIENCE
        try:
            while self._process.returncode is None and time.monotonic() < end:
                with suppress(ProcessLookupError):
                    os.kill(self._process.pid, self.service.stop_signal)
                with suppress(TimeoutError):  # Erlang misses a signal in its first moments
                    async with asyncio.timeout(_ASK_AGAIN):
                        await self._process.wait()
        finally:  # also if it is stopped while it ends one that did not get ready
            kill_session(self._process.pid)
            await self._process.wait()
            self._process = None
