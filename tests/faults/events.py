"""Hears from the workers which tasks they receive, so that a redelivery can be told from a first delivery."""

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from celery import Celery
from kombu import Consumer
from kombu.exceptions import OperationalError

_LATEST = 500


class Arrivals:
    """Every arrival of a task at a worker, by the workers' events.

    Parameters
    ----------
    broker_url : str
        The broker, asked directly, so that a cut network hides nothing.
    exchange : str
        Where the workers' events go.
    """

    def __init__(self, broker_url: str, exchange: str) -> None:
        self.heard: list[tuple[float, str]] = []
        self._url = broker_url
        self._exchange = exchange
        self._over = threading.Event()

    @contextmanager
    def listening(self) -> Iterator["Arrivals"]:
        """Listen until the context ends."""
        thread = threading.Thread(target=self._run, name="arrivals", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join(5)

    def latest(self) -> list[str]:
        """Return the tasks of the latest arrivals."""
        return [id for _, id in self.heard[-_LATEST:]]

    def redelivered(self, faults: list[float], sent_twice: set[str]) -> list[int]:
        """Return how many tasks arrived again after each fault and before the next.

        Parameters
        ----------
        faults : list of float
            When each struck (`time.monotonic`), in order.
        sent_twice : set of str
            Tasks that may arrive twice without a fault; they are not counted.
        """
        seen: set[str] = set()
        again: set[tuple[int, str]] = set()
        for at, id in sorted(self.heard):
            fault = sum(struck <= at for struck in faults) - 1
            if id in seen and id not in sent_twice and fault >= 0:
                again.add((fault, id))
            seen.add(id)
        counts = Counter(fault for fault, _ in again)
        return [counts[number] for number in range(len(faults))]

    def _note(self, event: dict[str, str]) -> None:
        self.heard.append((time.monotonic(), event["uuid"]))

    def _run(self) -> None:
        with Celery(broker=self._url, set_as_current=False) as app:
            app.conf.broker_connection_timeout = 2
            app.conf.event_exchange = self._exchange
            while not self._over.is_set():
                try:
                    self._listen(app)
                except (OSError, OperationalError, *app.connection().recoverable_connection_errors):
                    self._over.wait(0.05)

    def _listen(self, app: Celery) -> None:
        with app.connection() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            channel = connection.channel()
            receiver = app.events.Receiver(connection, handlers={"task-received": self._note})
            [consumer] = receiver.get_consumers(partial(Consumer, channel), channel)
            with consumer:
                while not self._over.is_set():
                    try:
                        connection.drain_events(timeout=0.5)
                    except TimeoutError:
                        continue
