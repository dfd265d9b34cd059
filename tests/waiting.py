"""What tests and their helpers share: waiting for a condition, hearing Ctrl-C, ending with the run."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import pytest

RUN = os.environ.setdefault("TESTS_RUN", str(os.getpid()))
"""Names this run of the tests; its stacks carry the name, and end with it."""

_AT_THE_END = """
import contextlib, psutil, sys
sys.stdin.read()
for process in psutil.process_iter():
    with contextlib.suppress(psutil.Error):
        if process.environ().get("WORKSHOP_TESTS") == sys.argv[1] and "backstage" in process.cmdline():
            process.terminate()
"""


def end_with_me() -> "subprocess.Popen[bytes]":
    """Return a process that ends all stacks of this run when this process ends, however that ends."""
    command = [sys.executable, "-c", _AT_THE_END, RUN]
    return subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)


PATIENCE = 4
"""So many times as long as an idle machine needs may a busy one take, before a test fails."""


def hear_ctrl_c() -> None:
    """Let a program hear Ctrl-C, even if these tests were started behind an ``&``, which ignores it."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition: Callable[[], object], seconds: float = 30, what: str = "the condition") -> None:
    """Wait until a condition holds; fail if it does not in time, however slow the machine is."""
    end = time.monotonic() + seconds * PATIENCE
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {seconds * PATIENCE:.0f} s")
        time.sleep(0.05)
