"""The same with taskiq, whose producer and worker are coroutines; each publish is confirmed."""

import asyncio
import os

from taskiq_aio_pika import AioPikaBroker

from benchmarks.programs.point import store

broker = AioPikaBroker(os.environ["BENCH_BROKER_URL"])


@broker.task
def do_task(x: int, y: int) -> None:
    """Write the square around a point; taskiq runs this in a thread."""
    store(x, y, "taskiq")


async def _send_all(points: list[tuple[int, int]]) -> None:
    await broker.startup()
    for x, y in points:
        await do_task.kiq(x, y)
    await broker.shutdown()


def send_all(points: list[tuple[int, int]]) -> None:
    """Put a task for each point on the queue."""
    asyncio.run(_send_all(points))
