"""What this process handed to RabbitMQ and has no answer for yet.

RabbitMQ confirms the messages of a channel by their numbers, many at once if it likes, and not in their
order. It first gives back a message that no queue takes. Whatever it says is read while others are sent, and
where something waits.
"""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from amqp.exceptions import AMQPError, ChannelError
from kombu import Producer

from workshop.delivery import record
from workshop.delivery.addresses import PATIENCE, Trouble, log_in

CONFIRM = 3
"""Seconds that RabbitMQ has to confirm a message."""

LIMIT = 5
"""Seconds after which a sender knows what became of its task, whatever happens."""

SETTLE = 1
"""Seconds after which the answers to a window are waited for, though nobody sends or asks."""

MOST = 200
"""So many messages may be unconfirmed at a time."""


@dataclass(frozen=True, eq=False)
class Message:
    """A task as it goes to RabbitMQ.

    Attributes
    ----------
    id : str
        The task's id.
    body : str or bytes
        The message.
    options : dict
        What `kombu.Producer.publish` is to know of it.
    entry : dict, optional
        What the record of publishes says of it; None if it is not recorded.
    """

    id: str
    body: str | bytes
    options: dict[str, Any]
    entry: dict[str, Any] | None = None


Lost = tuple[Message, str, bool]
"""A message, why it is not confirmed, and whether RabbitMQ may have it all the same."""


class Window:
    """The messages that are open, and their connection, guarded by one lock.

    When the connection breaks, they are sent once more over a fresh one, under their ids, so that one that
    RabbitMQ has twice makes one row.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._settler: threading.Timer | None = None
        self._url = ""
        self._connection: Any = None
        self._open: dict[int, Message] = {}
        self._tag = self._sent_again = 0  # the latest message's, and that of the latest one sent again
        self._returned: dict[str, str] = {}
        self._confirmed: list[str] = []
        self._lost: list[Lost] = []
        self._alarm: list[str] = []

    def send(self, message: Message, url: str, wait: bool) -> list[Lost]:
        """Send a message, and wait until nothing is open, or only the latest `MOST`.

        Parameters
        ----------
        message : Message
            Which.
        url : str
            The broker's address.
        wait : bool
            Whether to wait for all that is open.

        Returns
        -------
        list
            What is lost, after five seconds at most; if something was before, this message too.
        """
        with self._turn(message) as until:
            if url != self._url:
                self._wait(0, until)
                self._close()
                self._url = url
            if self._lost:
                self._lose([message], "A task before it could not be sent, so it was not tried.")
            else:
                self._hand_over(message, until)
            if wait or len(self._open) > MOST:
                self._wait(0 if wait else MOST // 2, until)
            if self._lost:  # then what becomes of the others is told with it
                self._wait(0, until)
            if self._open and not self._settler:
                self._settler = threading.Timer(SETTLE, self._settle)
                self._settler.daemon = True
                self._settler.start()
            return self._take_lost()

    def flush(self) -> list[Lost]:
        """Wait until nothing is open; return what is lost."""
        with self._turn() as until:
            self._wait(0, until)
            return self._take_lost()

    def _take_lost(self) -> list[Lost]:
        lost, self._lost = self._lost, []
        return lost

    def _settle(self) -> None:
        """Let no window stay open for much longer than a second; what is lost is told by others."""
        with self._turn() as until:
            self._settler = None
            self._wait(0, until)

    @contextmanager
    def _turn(self, message: Message | None = None) -> Iterator[float]:
        """Hold the lock, and yield until when to answer."""
        until = time.monotonic() + LIMIT
        with self._lock:
            try:
                if self._open and not self._connection:
                    self._after_break(InterruptedError(), until)
                yield until
            except BaseException:  # such as Ctrl-C or a time limit: the answer would come later
                self._open = {tag: each for tag, each in self._open.items() if each is not message}
                self._close()
                raise

    def _hand_over(self, message: Message, until: float) -> None:
        try:
            self._connect(until)
            if message.entry:
                record.append(message.entry | {"sent_to": record.place(self._url)})
        except Trouble as trouble:
            self._lose([message], trouble.text)
        except OSError as error:
            self._lose([message], f"The record of what is sent can't be written: {error}.")
        else:
            self._publish([message], until)

    def _connect(self, until: float) -> None:
        """See to it that there is a connection, and that it lives."""
        if self._connection and not self._open:
            try:
                self._connection.drain_events(timeout=0)
            except TimeoutError:
                pass  # nothing was said
            except (AMQPError, OSError):
                self._close()
        if self._connection:
            return
        connection = log_in(self._url, max(0.1, min(PATIENCE, until - time.monotonic())))
        try:
            channel = connection.channel()
            channel.confirm_select()
        except (AMQPError, OSError) as error:
            connection.collect()
            raise Trouble("port", f"RabbitMQ was there a moment ago, but now: {error}.") from error
        handlers = {"basic_ack": self._on_ack, "basic_nack": self._on_nack, "basic_return": self._on_return}
        for event, handler in handlers.items():
            channel.events[event].add(handler)
        connection.on_blocked, connection.on_unblocked = self._alarm.append, self._alarm.clear
        # amqp would look for news before each message; here that is done where something waits.
        connection.client_properties.pop("capabilities", None)
        self._connection, self._producer = connection, Producer(channel, auto_declare=False)

    def _close(self) -> None:
        """Drop the connection; what is open stays so."""
        if self._connection:
            self._connection.collect()
        self._connection, self._tag, self._sent_again = None, 0, 0
        self._returned.clear()
        self._alarm.clear()

    def _publish(self, messages: Sequence[Message], until: float) -> None:
        self._open |= dict(enumerate(messages, self._tag + 1))
        self._tag += len(messages)
        try:
            for message in messages:
                self._producer.publish(message.body, **message.options | {"mandatory": True})
        except (AMQPError, OSError) as error:
            self._after_break(error, until)

    def _wait(self, most: int, until: float) -> None:
        """Read RabbitMQ's answers until at most so many messages are open."""
        end = min(time.monotonic() + CONFIRM, until)
        while len(self._open) > most:
            try:
                self._connection.drain_events(timeout=max(0.001, end - time.monotonic()))
                end = min(time.monotonic() + CONFIRM, until)  # it answers, however slowly
            except TimeoutError:
                why = f"RabbitMQ did not confirm the task within {CONFIRM} s."
                alarm = "RabbitMQ takes no messages for now: its disk or memory is nearly full."
                self._lose(self._pop(self._tag), alarm if self._alarm else why, perhaps=True)
                self._close()
            except (AMQPError, OSError) as error:
                self._after_break(error, until)
                end = min(time.monotonic() + CONFIRM, until)
        if self._confirmed:
            with suppress(OSError):  # if that fails, it is said with the next ones
                record.append({"confirmed": self._confirmed})
                self._confirmed = []

    def _after_break(self, error: Exception, until: float) -> None:
        """Send what is open again over a fresh connection, but no third time, nor what is refused alone."""
        why = "The connection broke before RabbitMQ confirmed the task."
        if refused := isinstance(error, ChannelError):
            why = f"RabbitMQ refuses the task: {error}."
        again, messages = min(self._open) <= self._sent_again, [*self._open.values()]
        alone = refused and len(messages) == 1
        self._open = {}
        self._close()
        if not (again or alone):
            try:
                self._connect(until)
            except Trouble as trouble:
                why = f"{why} {trouble.text}"
            else:
                self._sent_again = len(messages)
                self._publish(messages, until)
                return
        self._lose(messages, why, perhaps=again or not alone)

    def _lose(self, messages: Sequence[Message], why: str, perhaps: bool = False) -> None:
        self._lost += [(message, why, perhaps) for message in messages]
        for message in messages:
            if message.entry and not perhaps:
                record.note_unsent(message.entry, why)

    def _pop(self, tag: int, multiple: bool = True) -> list[Message]:
        """Take out of the window what an answer is about."""
        tags = list(takewhile(lambda each: each <= tag, self._open)) if multiple else [tag]
        return [self._open.pop(each) for each in tags]

    def _on_ack(self, tag: int, multiple: bool) -> None:
        for message in self._pop(tag, multiple):
            if why := self._returned.pop(message.id, ""):
                self._lose([message], why)
            elif message.entry:
                self._confirmed.append(message.id)

    def _on_nack(self, tag: int, multiple: bool) -> None:
        self._lose(self._pop(tag, multiple), "RabbitMQ refuses the task: its queue is full.")

    def _on_return(self, error: Exception, exchange: str, key: str, returned: Any) -> None:
        why = f'RabbitMQ refuses the task: no queue gets what is sent to "{exchange}" with the key "{key}".'
        self._returned[returned.properties["correlation_id"]] = why
