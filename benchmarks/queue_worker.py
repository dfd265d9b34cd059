"""Starts the worker and the producer of a run of `benchmarks.queue_runs`, as processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_OPTIONS = ("-n", "bench@%h", "-c", "2", "--without-mingle", "--without-gossip", "--loglevel=WARNING")


@contextmanager
def worker(environment: dict[str, str], log: Path, is_ready: Callable[[], bool]) -> Iterator[None]:
    """Run a worker with two processes, from the moment it reads from the queue.

    Raises
    ------
    RuntimeError
        If it does not; the text has the last lines of its log.
    """
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.queue_app", "worker", *_OPTIONS]
    if environment.get("BENCH_GUEST") == "silent":
        command.append("--without-heartbeat")  # Celery sends it as an event
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=_ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        end = time.monotonic() + 30
        while not is_ready():
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError("The worker does not read from the queue:\n" + log.read_text()[-2000:])
            time.sleep(0.1)
        yield
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def produce(arguments: list[str], environment: dict[str, str]) -> dict[str, Any]:
    """Send the tasks, and return what `benchmarks.queue_app` says of it."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.queue_app", *arguments],
        cwd=_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The producer ended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)
