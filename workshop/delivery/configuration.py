"""Celery's settings for this course: what each is for, in one place.

`workshop.tasks` names this module in ``config_from_object``. Celery's own names are kept.
"""

import os

from workshop import settings, state_folder
from workshop.delivery.topology import SQUARES

# Where messages go.
task_queues = [SQUARES]
task_default_queue = SQUARES.name
task_routes = {"workshop.periodic.*": {"queue": "periodic"}}

# A message is acknowledged after its task ran, so a worker that dies gives it back; the database's
# unique task_id makes a second run harmless.
task_acks_late = True
worker_prefetch_multiplier = 1

# A task that failed for good is rejected, and RabbitMQ moves its message to the queue `dead`. What becomes
# of one that lost its process, or met an outage, is in `workshop.delivery.worker`.
task_acks_on_failure = False
worker_lost_wait = 3

# What is no task of this course is refused before Celery takes it apart.
worker_consumer = "workshop.delivery.consumer:Consumer"

# A task's own soft_time_limit ends its work with an exception; one that ignores it is ended with its process.
task_time_limit = 15

# The sender waits until RabbitMQ confirms that it has the message.
broker_transport_options = {"confirm_publish": True}
broker_connection_timeout = 3
broker_connection_retry_on_startup = True
broker_connection_max_retries = None

# Flower listens to these events, of all machines; a Flower that starts later switches them on itself, but at
# a central, where it may not. They cost about as much as a task. They go to an exchange that every RabbitMQ
# has from the start, so that nobody needs the right to declare it, which would be the right to delete it too.
_watched = (
    "flower" in state_folder.services() or "WORKSHOP_PUBLISHED" in os.environ
)  # in containers it always is
worker_send_task_events = _watched or settings.joined()
event_exchange = "amq.topic"

# Checks ask this machine's own workers for a report. At a central queue nobody commands anyone's worker.
imports = [f"workshop.delivery.{name}" for name in ("presence", "report", "pause")]
worker_enable_remote_control = not settings.joined()

# Each process logs in to the database when it starts; where that is away, it waits 3 s for it.
worker_proc_alive_timeout = 15

# A central queue may vanish without a word: a cable, a Wi-Fi. Both sides ask for a sign of life.
if settings.joined():
    broker_heartbeat = 5

# JSON carries numbers and text. Nothing else is accepted, pickle least of all.
task_serializer = "json"
accept_content = ["json"]
