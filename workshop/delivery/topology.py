"""The exchanges and queues of the course.

A task travels from the exchange `tasks`, by the key ``task.square``, to the queue `squares`. A message
that a worker rejects goes on to the exchange `dead` and stays in the queue `dead` until someone looks.

The stack declares them once, when RabbitMQ has started. Nobody else does: a machine's account at a central
queue may not, and RabbitMQ would drop rejected messages silently while there is no `dead` yet.

The queue of the tasks is a classic one, from which a worker takes one message ahead for each process.

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

from collections.abc import Iterator
from contextlib import contextmanager
from os import getpid

from kombu import Connection, Exchange, Queue, pools

ROUTING_KEY = "task.square"

DEAD_EXCHANGE = Exchange("dead", type="fanout", no_declare=True)
DEAD = Queue(
    "dead", DEAD_EXCHANGE, durable=True, no_declare=True, queue_arguments={"x-queue-type": "classic"}
)

TASKS = Exchange("tasks", type="topic", no_declare=True)
SQUARES = Queue(
    "squares",
    TASKS,
    routing_key=ROUTING_KEY,
    durable=True,
    no_declare=True,
    queue_arguments={"x-queue-type": "classic", "x-dead-letter-exchange": DEAD_EXCHANGE.name},
)


REASON, SINCE = "reason", "dead_since"
"""The headers that say why a message is in the queue `dead`, and since when."""


@contextmanager
def kept_connection(broker_url: str) -> Iterator[Connection]:
    """Yield a connection to RabbitMQ that stays open for whoever looks next; a dead one is replaced.

    Parameters
    ----------
    broker_url : str
        The broker's address.
    """
    options = {"client_properties": {"process": getpid()}, "read_timeout": 3}  # a child has its own
    wanted = Connection(broker_url, connect_timeout=3, transport_options=options)
    with pools.connections[wanted].acquire(block=True) as connection:
        try:
            connection.ensure_connection(max_retries=0)
            try:
                connection.drain_events(timeout=0)
            except TimeoutError:  # it lives, and has nothing to say
                pass
            except connection.recoverable_connection_errors:
                connection.collect()
            yield connection
        except BaseException:
            connection.collect()  # its late answer would be taken for that to another question
            raise
