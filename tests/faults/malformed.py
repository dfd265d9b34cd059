"""The malformed messages of `tests.messages` among the tasks of a run; four of them end workers of Celery.

As many have no usable task id, each carries its number in a header of its own, so that it can be found among
the dead letters.
"""

from tests.integration.machine import Machine
from tests.messages import MALFORMED
from workshop.delivery.configuration import ROUTING_KEY, TASKS

NUMBER = "malformed"
"""The header that carries the number."""

NAMES = list(MALFORMED)


def send(machine: Machine, number: int) -> None:
    """Send a malformed message by its number."""
    _, message = MALFORMED[NAMES[number]]
    marked = message | {"headers": message["headers"] | {NUMBER: number}}
    with machine.amqp() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
        connection.Producer().publish(
            **marked, exchange=TASKS.name, routing_key=ROUTING_KEY, confirm_timeout=5
        )
