"""Lets a worker go on while it holds tasks that wait for the time of their retry.

Such a task is not acknowledged, so it takes one of the few places that the prefetch count gives a worker.
Celery asks RabbitMQ for another place then. That works up to RabbitMQ 3. RabbitMQ 4 counts for each consumer
on its own, and does not change the count of one that runs: a worker with two places that holds two retries
would stand still until the first is due. So another consumer takes over, with as many places again.
"""

from celery.worker.consumer import Consumer


def make_room(consumer: Consumer) -> None:
    """Let a worker's consumer be followed by another one whenever a task begins to wait in it.

    Parameters
    ----------
    consumer : celery.worker.consumer.Consumer
        The part of the worker that receives messages, connected.
    """
    qos, change = consumer.qos, consumer.qos.callback

    def change_and_follow(prefetch_count: int) -> None:
        change(prefetch_count=prefetch_count)  # RabbitMQ 3: for all consumers of this worker
        if qos.prev is not None and prefetch_count > qos.prev:
            tasks = consumer.task_consumer
            tasks.cancel()  # what it holds stays with the worker
            tasks.qos(prefetch_count=consumer.initial_prefetch_count, apply_global=False)
            tasks.consume()

    qos.callback = change_and_follow
