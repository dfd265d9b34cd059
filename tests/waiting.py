"""Waiting for a condition, and commands that hear Ctrl-C: what tests and their helpers share."""

import signal
import time
from collections.abc import Callable

import pytest


def hear_ctrl_c() -> None:
    """Let a program hear Ctrl-C, even if these tests were started behind an ``&``, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition: Callable[[], object], seconds: float = 30, what: str = "the condition") -> None:
    """Wait until a condition holds; fail if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(0.05)
