"""The course's application with one choice changed by the environment, for `benchmarks.queue_choice`.

Workers run it with ``celery -A benchmarks.queue_app worker``. As a script it is the producer:
``python -m benchmarks.queue_app 500 --seed 1`` sends tasks and prints what it sent, as JSON.

``BENCH_TYPE`` is the queue's type, ``BENCH_PREFETCH`` the messages that a worker takes ahead for each of its
processes. ``BENCH_GUEST`` makes it a worker that may declare nothing on the broker, and that sends ``events``
or is ``silent``. ``BENCH_QOS=consumer`` makes RabbitMQ 3 count the messages ahead as RabbitMQ 4 does.
"""

import json
import os
import random
import signal
import time
from pathlib import Path

import click
from kombu.transport.pyamqp import Transport

from workshop.delivery.topology import SQUARES
from workshop.tasks import AppBaseTask, application, do_task

POISON = "benchmarks.queue_app.poison"

SQUARES.queue_arguments["x-queue-type"] = os.environ.get("BENCH_TYPE", "classic")
application.conf.worker_prefetch_multiplier = int(os.environ.get("BENCH_PREFETCH", "1"))
if os.environ.get("BENCH_QOS") == "consumer":
    Transport.qos_semantics_matches_spec = lambda self, connection: True
if guest := os.environ.get("BENCH_GUEST"):
    application.conf.worker_send_task_events = guest == "events"
    SQUARES.no_declare = True
    application.conf.worker_enable_remote_control = False
    application.conf.event_exchange = "amq.topic"  # exists everywhere, and nobody can declare or delete it


@application.task(base=AppBaseTask, name=POISON)
def poison(note: str) -> None:
    """Write a line to a file, then kill the process that runs this."""
    with Path(note).open("a") as lines:
        lines.write(f"{time.time()}\n")
    os.kill(os.getpid(), signal.SIGKILL)


@click.command()
@click.argument("number", type=int)
@click.option("--seed", default=1, help="The random points start from it.")
@click.option("--bad", default=0, help="Send so many tasks off the grid too, which fail for good.")
@click.option("--note", help="Send a poison task in the middle, which writes to this file.")
def send(number: int, seed: int, bad: int, note: str | None) -> None:
    """Send tasks with random points, as fast as it goes, and print their ids and the seconds it took."""
    chance = random.Random(seed)
    points = [(chance.randrange(700_000), chance.randrange(1_300_000)) for _ in range(number)]
    began, ids, poisons = time.time(), [], []
    for index, (x, y) in enumerate(points):
        if note and index == number // 2:
            poisons.append(poison.delay(note).id)
        ids.append(do_task.delay(x, y).id)
    refused = [do_task.delay(-1, -1).id for _ in range(bad)]
    sent = {"ids": ids, "bad": refused, "poison": poisons, "began": began, "seconds": time.time() - began}
    print(json.dumps(sent))


if __name__ == "__main__":
    send()
