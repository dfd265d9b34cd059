"""What processes use: processor time and memory, of whole trees of them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress

import psutil

from backstage.stack.status import statuses


def trees(pids: Iterable[int]) -> Iterator[psutil.Process]:
    """Yield some processes, and all that they started and that still run."""
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            leader = psutil.Process(pid)
            yield from (leader, *leader.children(recursive=True))


def processor_time(processes: Iterable[psutil.Process]) -> float:
    """Return the seconds of processor time of processes, with those of their children that have ended."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def memory(processes: Iterable[psutil.Process]) -> float:
    """Return the MiB of processes; what several of them share counts once (PSS)."""
    total = 0.0
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            total += process.memory_full_info().pss / 2**20
    return total


def of_services(figure: Callable[[Iterable[psutil.Process]], float]) -> dict[str, float]:
    """Return a figure of PostgreSQL's and of RabbitMQ's processes, of the stack that runs."""
    running = statuses()
    return {name: figure(trees([running[name]["pid"]])) for name in ("postgis", "rabbitmq")}
