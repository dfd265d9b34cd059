"""Sends all the time while faults happen, and sends again, under the same id, whatever was not accepted."""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.faults.timetable import Sending, Task, Timetable
from workshop.delivery import publisher
from workshop.delivery.publisher import NotSent

_PAUSE = 0.05
_AGAIN = 0.2
_HELD_BACK = 0.5


class Producer:
    """The sender of one run, in a thread.

    Parameters
    ----------
    timetable : tests.faults.timetable.Timetable
        What to send, in order.
    send : callable
        Sends a task; raises if it may not have been accepted.
    send_malformed : callable
        Sends a malformed message by its number.
    waiting : callable
        Returns how many messages wait, or None. It is called in the producer's thread.
    window : int
        While so many wait, it sends slowly, one in 50 ms, so that it is still at work when the faults strike.

    Attributes
    ----------
    hold_at : float
        From so many accepted tasks on it sends hardly anything, two tasks a second: others wait for the
        faults to come, however long the machine takes to recover from the one before.
    """

    def __init__(
        self,
        timetable: Timetable,
        send: Callable[[Task], None],
        send_malformed: Callable[[int], None],
        waiting: Callable[[], int | None],
        window: int,
    ) -> None:
        self.accepted: set[str] = set()
        self.sent_twice: set[str] = set()
        self.malformed: set[int] = set()
        self.raised: Counter[str] = Counter()
        self.longest = 0.0
        self.done = threading.Event()
        self.hold_at = math.inf
        self._timetable = timetable
        self._send, self._send_malformed = send, send_malformed
        self._waiting = waiting
        self._window = window
        self._lost: NotSent | None = None
        self._at_once = 0
        self._over = threading.Event()

    @contextmanager
    def running(self) -> Iterator["Producer"]:
        """Send until everything is accepted or the context ends."""
        thread = threading.Thread(target=self._run, name="producer", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(30)

    def _run(self) -> None:
        for sending in self._timetable.sendings:
            self._until_room()
            while not self._over.is_set() and not self._accepted(sending):
                self._over.wait(_AGAIN)
            if self._over.is_set():
                return
        while not self._over.is_set() and not self._all_confirmed():
            self._over.wait(_AGAIN)
        self.done.set()

    def _all_confirmed(self) -> bool:
        try:
            publisher.flush()
        except NotSent as error:
            self._lost = error
        return self._lost is None or self._sent_again(self._lost)

    def _sent_again(self, lost: NotSent) -> bool:
        """Send what an error names: in a burst there are tasks of earlier calls among them."""
        self.sent_twice |= {task.id for task in lost.tasks}
        try:
            lost.send_again()
        except NotSent as error:
            self._lost = error
            return False
        self._lost = None
        return True

    def _until_room(self) -> None:
        if len(self.accepted) >= self.hold_at:
            self._over.wait(_HELD_BACK)
            return
        if self._at_once > 0:
            self._at_once -= 1
            return
        waiting = self._waiting()
        if waiting is not None and waiting < self._window:
            self._at_once = min(20, self._window - waiting)
        else:
            self._over.wait(_PAUSE)

    def _accepted(self, sending: Sending) -> bool:
        task = None if sending.kind == "malformed" else self._timetable.tasks[sending.number]
        began = time.monotonic()
        try:
            if task is None:
                self._send_malformed(sending.number)
            elif self._lost is None:
                self._send(task)
            elif not self._sent_again(self._lost):  # this task is among them
                return False
        except Exception as error:  # whatever it is: what is not accepted is sent again
            self._lost = error if isinstance(error, NotSent) else None
            if task is not None:
                [line, *_] = str(error).splitlines() or [""]
                self.raised[f"{type(error).__name__}: {line}"] += 1
                self.sent_twice.add(task.id)
            return False
        finally:
            if task is not None:
                self.longest = max(self.longest, time.monotonic() - began)
        self._note(sending, task)
        return True

    def _note(self, sending: Sending, task: Task | None) -> None:
        if task is None:
            self.malformed.add(sending.number)
            return
        if task.id in self.accepted:
            self.sent_twice.add(task.id)
        self.accepted.add(task.id)
