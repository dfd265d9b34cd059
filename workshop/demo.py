"""Puts tasks on the queue: the producer."""

import random

from workshop.settings import seed
from workshop.tasks import do_task

_chance = random.Random(seed())


def get_random_x() -> int:
    """Return a random easting on the British National Grid, in whole metres (EPSG:27700)."""
    return _chance.randrange(700_000)


def get_random_y() -> int:
    """Return a random northing on the British National Grid, in whole metres (EPSG:27700)."""
    return _chance.randrange(1_300_000)


def call_do_task(iterations: int = 2500) -> None:
    """Put tasks on the queue, each with a random point.

    Parameters
    ----------
    iterations : int
        How many tasks.
    """
    ### BEGIN SOLUTION 1: put as many tasks on the queue, each with a point of its own
    for _ in range(iterations):
        x = get_random_x()
        y = get_random_y()
        do_task.delay(x, y)

    print(f"called do_task {iterations} times asynchronously")
    ### END SOLUTION


if __name__ == "__main__":
    call_do_task()
