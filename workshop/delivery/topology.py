"""The exchanges and queues of the course, declared the same way by everyone who uses them.

A task travels from the exchange `tasks`, by the key ``task.square``, to the queue `squares`. A message
that a worker rejects goes on to the exchange `dead` and stays in the queue `dead` until someone looks.

RabbitMQ refuses to declare a queue again with other arguments (406 PRECONDITION_FAILED).
"""

from typing import Any

from kombu import Exchange, Queue

ROUTING_KEY = "task.square"

DEAD_EXCHANGE = Exchange("dead", type="fanout")
DEAD = Queue("dead", DEAD_EXCHANGE, durable=True, queue_arguments={"x-queue-type": "classic"})


class SquaresQueue(Queue):
    """A queue that declares the place for rejected messages before itself.

    Without that place RabbitMQ would drop a rejected message silently.
    """

    no_declare: bool

    def declare(self, nowait: bool = False, channel: Any = None) -> str:
        """Declare `dead`, then this queue; neither, where ``no_declare`` says that others do it."""
        if self.no_declare:
            return self.name
        DEAD(channel or self.channel).declare(nowait=nowait)
        return super().declare(nowait=nowait, channel=channel)


TASKS = Exchange("tasks", type="topic")
SQUARES = SquaresQueue(
    "squares",
    TASKS,
    routing_key=ROUTING_KEY,
    durable=True,
    queue_arguments={"x-queue-type": "classic", "x-dead-letter-exchange": DEAD_EXCHANGE.name},
)
