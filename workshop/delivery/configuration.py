"""Celery's settings for this course, and the queues that they name: what each is for, in one place.

`workshop.tasks` names this module in ``config_from_object``. Celery's own names are kept. What depends on
where a worker works, at its own queue or at a central, it sets when it starts: `workshop.delivery.answering`.

A task travels from the exchange `tasks`, by the key ``task.square``, to the queue `squares`. A message
that a worker rejects goes on to the exchange `dead` and stays in the queue `dead` until someone looks.

The stack declares them once, when RabbitMQ has started. Nobody else does: a machine's account at a central
queue may not, and RabbitMQ would drop rejected messages silently while there is no `dead` yet.

The queue of the tasks is a classic one, from which a worker takes two messages for each process: while one
task runs, the next one is there already. With one only, a process waits a third of its time, and 2,500 tasks
take 1.2 times as long.

Measured on RabbitMQ 3.10.8 and 4.3.6, with one message for each process, 500 tasks, 15 % of the attempts
failing, a countdown of 10 s and two processes: nothing was lost, and the worker never stood idle for 2 s
while a task was due; without the room that a worker makes for tasks that wait for 9 s on 4.3.6. A task that
kills its process became a dead letter after 4 runs in 5 to 19 s. A worker that may declare nothing and send
only to `tasks` lost nothing either.

More messages than two are no faster, and worse to share between machines. Nor is a quorum queue faster, and

* RabbitMQ 4 makes a message a dead letter instead of delivering it for the 22nd time (3.10 and classic
  queues: never). An outage of some minutes would do that: what meets it is given back every 8 s or so;
* retries travel through 28 more queues and exchanges, which such a worker could neither declare nor use.
"""

from kombu import Exchange, Queue

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

# Where messages go.
task_queues = [SQUARES]
task_default_queue = SQUARES.name
task_routes = {"workshop.periodic.*": {"queue": "periodic"}}

# A message is acknowledged after its task ran, so a worker that dies gives it back; the database's
# key, of task and square, makes a second run harmless.
task_acks_late = True
worker_prefetch_multiplier = 2

# A task that failed for good is rejected, and RabbitMQ moves its message to the queue `dead`. What becomes
# of one that lost its process, or met an outage, is in `workshop.delivery.worker`.
task_acks_on_failure = False
worker_lost_wait = 3

# What is no task of this course is refused before Celery takes it apart.
worker_consumer = "workshop.delivery.worker:Consumer"

# A task's own soft_time_limit ends its work with an exception; one that ignores it is ended with its process.
task_time_limit = 15

# RabbitMQ may be away for a while: a worker waits for it when it starts.
broker_connection_timeout = 3
broker_connection_retry_on_startup = True
broker_connection_max_retries = None

# Flower listens to events, of all machines. They go to an exchange that every RabbitMQ has from the start, so
# that nobody needs the right to declare it, which would be the right to delete it too.
event_exchange = "amq.topic"

imports = ["workshop.delivery.answering", "workshop.blocks"]

# Each process logs in to the database when it starts; where that is away, it waits 3 s for it.
worker_proc_alive_timeout = 15
