"""Which workers ended without having been killed by the timetable, and whether an outage explains it.

A worker of Celery 5.7 can end by itself when its broker was away (celery#9250); its supervisor starts it
again. An end at any other time is the work of a message.
"""

from tests.faults.course import Course
from tests.faults.fleet import Control

OUTAGES = ("broker killed", "broker restarted", "network cut", "frozen")
"""Faults after which workers connect to the broker anew."""


class Ends:
    """The ends of workers in one run, each looked at soon after it.

    Attributes
    ----------
    after_outage, unexplained : list of str
        Who ended, and how.
    """

    def __init__(self, subject: Course | Control) -> None:
        self.after_outage: list[str] = []
        self.unexplained: list[str] = []
        self._subject = subject
        self._seen = subject.ends()

    def look(self, fault: str = "", killed: str = "") -> None:
        """Note who ended since the last look.

        Parameters
        ----------
        fault : str
            What struck since then.
        killed : str
            The worker that it killed.
        """
        before, self._seen = self._seen, self._subject.ends()
        for name, (count, message) in self._seen.items():
            others = count - before.get(name, (0, ""))[0] - (name == killed)
            if others > 0:
                found = self.after_outage if fault in OUTAGES else self.unexplained
                found.append(f"{name}, {others} times, {f'after {fault!r}, ' if fault else ''}{message}")
