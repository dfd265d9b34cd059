"""What all tests share: one private stack for the whole session, waiting for a condition, and starters.

On the branches of starters, tests that need the solution of a challenge may fail until it is solved:
``@pytest.mark.challenge(2)``. Those that need the solved course, ``@pytest.mark.solved_course``, are not run
there: its marks and its stored outputs are on main.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

# No test meets services that are not its own: neither those that the person who runs it has named, nor those
# of a course that runs in this folder. Importing the program needs an address; nothing is sent to this one.
for _name in [name for name in os.environ if name.startswith("WORKSHOP_") and name != "WORKSHOP_VERDICTS"]:
    del os.environ[_name]
os.environ["WORKSHOP_STATE"] = str(Path(tempfile.mkdtemp(prefix="workshop-tests-")) / "state")
os.environ["WORKSHOP_BROKER_URL"] = "amqp://nobody:nothing@127.0.0.1:1/nowhere"
import workshop.tasks  # noqa: E402, F401

del os.environ["WORKSHOP_BROKER_URL"]

from workshop.challenges.source import challenge_here  # noqa: E402
from workshop.machine import WINDOWS  # noqa: E402

_HERE = challenge_here()
_FIRST_OPEN = _HERE["challenge"] + _HERE.get("solved", False) if _HERE else 99


_LONG = (
    "test_starters",
    "test_rehearsal",
    "test_control",
    "test_chaos",
    "test_several_machines",
    "test_binder",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs the solved course, on a starter, and what Windows lacks, there; say so.

    The files that take longest come first: side by side with others, they end when all do.
    """
    items.sort(key=lambda item: item.path.stem not in _LONG)
    reason = "this branch holds starters; the solved course is on main"
    for item in items:
        if _HERE and item.get_closest_marker("solved_course"):
            item.add_marker(pytest.mark.xfail(reason=reason, run=False))
        if WINDOWS and item.get_closest_marker("posix"):
            item.add_marker(pytest.mark.skip(reason="needs what Windows lacks"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out: side by side, pytest itself does not count it."""
    left_out = "not nightly" in config.option.markexpr
    return ["left out: tests marked nightly; make test-all runs them"] * left_out


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Expect a test of an unsolved challenge to fail; once it is solved, the test passes as any other."""
    report = yield
    marker = item.get_closest_marker("challenge")
    if marker and marker.args[0] >= _FIRST_OPEN and call.when == "call" and report.failed:
        report.outcome = "skipped"
        report.wasxfail = f"challenge {marker.args[0]} is not solved yet"
    return report


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


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Start all services, privately and on ports of their own; return their state folder."""
    state = tmp_path_factory.mktemp("stack") / "state"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_STATE", str(state))
        patch.setenv("WORKSHOP_PORTS", "any")
        patch.setenv("WORKSHOP_FAULT_RATE", "0")
        patch.delenv("WORKSHOP_BROKER_URL", raising=False)
        patch.delenv("WORKSHOP_DATABASE_URL", raising=False)
        try:
            started = workshop("up", "--detach")
            assert started.returncode == 0, started.stdout + started.stderr
            yield state
        finally:
            workshop("down", "--purge")
