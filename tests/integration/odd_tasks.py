"""Tasks as someone might write them: each does what ends a worker, or loses a task, in Celery as it comes."""

import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial

from celery.exceptions import SoftTimeLimitExceeded
from kombu.transport.pyamqp import Transport

from workshop.service import geoprocess
from workshop.tasks import AppBaseTask, application

if os.environ.get("ODD_QOS") == "RabbitMQ 4":  # it counts the messages that it sends ahead by consumer
    Transport.qos_semantics_matches_spec = lambda self, connection: True

odd = partial(application.task, base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=1, time_limit=6)


@odd(name="workshop.odd.dies")
def dies(self, x, y):
    os.kill(os.getpid(), signal.SIGKILL)


@odd(name="workshop.odd.dies_once")
def dies_once(self, x, y):
    """Dies in the first process that runs it."""
    if sole_witness := os.environ["ODD_WITNESS"]:
        try:
            os.close(os.open(sole_witness, os.O_CREAT | os.O_EXCL))
            os.kill(os.getpid(), signal.SIGKILL)
        except FileExistsError:
            geoprocess(x, y)


@odd(name="workshop.odd.leaves")
def leaves(self, x, y):
    sys.exit(3)


@odd(name="workshop.odd.out_of_memory")
def out_of_memory(self, x, y):
    raise MemoryError


@odd(name="workshop.odd.never_ends")
def never_ends(self, x, y):
    while True:
        with suppress(SoftTimeLimitExceeded):
            time.sleep(60)


@odd(name="workshop.odd.swallows")
def swallows(self, x, y):
    """Logs every error and goes on as if all were well."""
    try:
        geoprocess(x, y)
    except Exception as error:
        print(f"never mind: {error}")


@odd(name="workshop.odd.retries_everything")
def retries_everything(self, x, y):
    try:
        geoprocess(x, y)
    except Exception as error:
        self.retry(countdown=0.1, exc=error)
