"""Reads, straight from the services and past the relays, how far a run is."""

from collections.abc import Collection

import psycopg
from amqp.protocol import queue_declare_ok_t
from kombu import Connection, Queue
from kombu.exceptions import OperationalError
from kombu.transport.pyamqp import Channel

from tests.faults.stage import WORKERS
from tests.integration.machine import Machine
from workshop.delivery.asking import ask
from workshop.delivery.configuration import DEAD, SQUARES

_COUNT = "SELECT count(*) FROM geopython.grid_squares"
_example = Connection("amqp://")
_BROKER_AWAY = (OSError, OperationalError, *_example.connection_errors, *_example.channel_errors)


class Gauge:
    """The numbers of one run at the moment; each thread has one of its own.

    Parameters
    ----------
    machine : tests.integration.machine.Machine
        The private stack.
    """

    def __init__(self, machine: Machine) -> None:
        stack = machine.stack()
        self._database_url = stack["database_url"].replace("+psycopg", "")
        self._broker_url = stack["broker_url"]
        self._database: psycopg.Connection | None = None
        self._channel: Channel | None = None

    def rows(self) -> int | None:
        """Return how many tasks have a row; None while the database does not answer."""
        return self._ask(_COUNT)

    def rows_of(self, ids: Collection[str]) -> int | None:
        """Return how many of some tasks have a row; None while the database does not answer."""
        return self._ask(f"{_COUNT} WHERE task_id::text = ANY(%s)", list(ids))

    def waiting(self) -> int | None:
        """Return how many messages wait for a worker; None while the broker does not answer."""
        return self._depth(SQUARES.name)

    def dead(self) -> int | None:
        """Return how many dead letters there are; None while the broker does not answer."""
        return self._depth(DEAD.name)

    def consumers(self) -> int:
        """Return how many workers listen to the queue; 0 while the broker does not answer."""
        state = self._state(SQUARES.name)
        return state.consumer_count if state else 0

    def held(self) -> set[str]:
        """Return the ids of the tasks that workers hold; none while the broker does not answer."""
        try:
            reports = ask(self._broker_url, "course_report", limit=WORKERS)
        except _BROKER_AWAY:
            return set()
        return {id for report in reports.values() for id in report["held"]}

    def close(self) -> None:
        """Close the connections."""
        if self._database is not None:
            self._database.close()
        self._hang_up()

    def _ask(self, query: str, *values: object) -> int | None:
        try:
            if self._database is None:
                self._database = psycopg.connect(self._database_url, autocommit=True, connect_timeout=2)
            [[count]] = self._database.execute(query, values)
        except psycopg.Error:
            self._database = None
            return None
        return count

    def _depth(self, queue: str) -> int | None:
        state = self._state(queue)
        return state.message_count if state else None

    def _state(self, queue: str) -> queue_declare_ok_t | None:
        try:
            if self._channel is None:
                connection = Connection(self._broker_url, connect_timeout=2)
                connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
                self._channel = connection.channel()
            return Queue(queue, channel=self._channel).queue_declare(passive=True)
        except _BROKER_AWAY:
            self._hang_up()
            return None

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.connection.client.collect()
            self._channel = None
