"""What all tests share: one private stack for the whole session, and waiting for a condition."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def workshop(*arguments: str, timeout: float = 180, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command ``workshop`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "workshop", *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


def wait_for(condition: Callable[[], object], seconds: float = 30, what: str = "the condition") -> None:
    """Wait until a condition holds; fail if it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            pytest.fail(f"{what} did not come true within {seconds} s")
        time.sleep(0.05)


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start all services, privately and on ports of their own; return their state folder."""
    state = tmp_path_factory.mktemp("stack") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_STATE", str(state))
        patch.setenv("WORKSHOP_PORTS", "any")
        patch.delenv("WORKSHOP_BROKER_URL", raising=False)
        patch.delenv("WORKSHOP_DATABASE_URL", raising=False)
        try:
            started = workshop("up", "--detach")
            assert started.returncode == 0, started.stdout + started.stderr
            yield state
        finally:
            workshop("down", "--purge")
