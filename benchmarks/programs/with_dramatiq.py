"""The same with dramatiq; ``BENCH_CONFIRMS=1`` lets it wait for RabbitMQ's word on each message.

It acknowledges a message after its task ran, as the course does.
"""

import os

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker

from benchmarks.programs.point import store

broker = RabbitmqBroker(
    url=os.environ["BENCH_BROKER_URL"], confirm_delivery=bool(os.environ.get("BENCH_CONFIRMS"))
)
dramatiq.set_broker(broker)


@dramatiq.actor
def do_task(x: int, y: int) -> None:
    """Write the square around a point."""
    store(x, y, "dramatiq")


def send_all(points: list[tuple[int, int]]) -> None:
    """Put a task for each point on the queue."""
    for x, y in points:
        do_task.send(x, y)
    broker.close()
