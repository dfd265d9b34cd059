"""What all tests share: services, who runs beside whom, waiting for a condition, and starters.

A file that uses `room` (or `worker`) has a room of its own on servers that all files share. Files that use
the same one of `_SHARED` run one after the other in one process, which has that stack once.

On the branches of starters, tests that need the solution of a challenge may fail until it is solved:
``@pytest.mark.challenge(2)``. Those that need the solved course, ``@pytest.mark.solved_course``, are not run
there: its marks and its stored outputs are on main.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.waiting import RUN, end_with_me
from tests.waiting import hear_ctrl_c as hear_ctrl_c
from tests.waiting import wait_for as wait_for

# No test meets services that are not its own: neither those that the person who runs it has named, nor those
# of a course that runs in this folder. Importing the program needs an address; nothing is sent to this one.
for _name in [name for name in os.environ if name.startswith("WORKSHOP_")]:
    del os.environ[_name]
_NO_SERVICES = Path(tempfile.mkdtemp(prefix="workshop-tests-"))
os.environ["WORKSHOP_STATE"] = str(_NO_SERVICES / "state")
os.environ["WORKSHOP_BROKER_URL"] = "amqp://nobody:nothing@127.0.0.1:1/nowhere"
import workshop.tasks  # noqa: E402, F401

del os.environ["WORKSHOP_BROKER_URL"]

from backstage.challenges.source import challenge_here  # noqa: E402
from workshop.state_folder import WINDOWS  # noqa: E402

if TYPE_CHECKING:
    import psutil

    from backstage.stack.site import Site
    from tests.integration.machine import Machine

_HERE = challenge_here()
_FIRST_OPEN = _HERE["challenge"] + _HERE.get("solved", False) if _HERE else 99


_SHARED = {
    "classroom": (
        *("classroom/test_attacks", "classroom/test_fill", "classroom/test_guest", "classroom/test_join"),
        *("classroom/test_preflight", "classroom/test_wall"),
    ),
    "breakable": (
        *("integration/test_breaking", "integration/test_burst", "integration/test_fast"),
        *("integration/test_outages", "integration/test_producer"),
    ),
    "all_services": ("integration/test_stack", "browser/test_lab"),
    "one_attendee": (
        *("challenges/test_challenge_1", "challenges/test_challenge_2"),
        *("challenges/test_challenge_2_answers", "challenges/test_challenge_3"),
        *("challenges/test_challenge_4", "challenges/test_challenge_5", "challenges/test_environment"),
    ),
}
"""Fixtures of stacks that files share, and these files."""

_LONG = (
    *("notebooks/test_notebooks", "one_attendee", "classroom", "classroom/test_starters", "all_services"),
    "breakable",
    *("browser/test_binder", "faults/test_chaos", "classroom/test_central"),
    *("classroom/test_rehearsal", "integration/test_stack_ends", "browser/test_wall"),
)
"""What takes longest, and so begins first."""

_SERVERS = pytest.StashKey[dict[str, Any]]()


def pytest_configure(config: pytest.Config) -> None:
    """Name one folder for the servers of the whole run; nothing is started yet."""
    given = getattr(config, "workerinput", {}).get("servers")
    config.stash[_SERVERS] = given or {
        "folder": tempfile.mkdtemp(prefix="tests-"),
        "leader": os.getpid(),
        "end": end_with_me(),
    }


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a process of xdist where the servers are."""
    node.workerinput["servers"] = node.config.stash[_SERVERS] | {"end": None}


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers, if any were started, where the run began."""
    shutil.rmtree(_NO_SERVICES, ignore_errors=True)
    servers = config.stash[_SERVERS]
    if servers["leader"] == os.getpid():
        if (state := Path(servers["folder"], "state")).exists():
            workshop("down", "--purge", WORKSHOP_STATE=str(state))
        shutil.rmtree(servers["folder"], ignore_errors=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that share a stack into one group, and what takes longest first.

    Leave out what needs the solved course, on a starter, and what Windows lacks, there; say so.
    """
    items.sort(key=lambda item: [*_LONG, _group(item.path)].index(_group(item.path)))
    reason = "this branch holds starters; the solved course is on main"
    for item in items:
        for shared in _SHARED.keys() & set(getattr(item, "fixturenames", ())) - {_group(item.path)}:
            raise pytest.UsageError(f"{item.path} uses {shared!r}: add it to _SHARED in {__file__}")
        if _HERE and item.get_closest_marker("solved_course"):
            item.add_marker(pytest.mark.xfail(reason=reason, run=False))
        if WINDOWS and item.get_closest_marker("posix"):
            item.add_marker(pytest.mark.skip(reason="needs what Windows lacks"))


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say what is left out: side by side, pytest itself does not count it."""
    left_out = "not nightly" in config.option.markexpr
    return ["left out: tests marked nightly; make test-all runs them"] * left_out


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Run files of one group one after the other, others side by side."""
    if config.getvalue("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class ByGroup(LoadFileScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _group(Path(super()._split_scope(nodeid)))

    return ByGroup(config, log)


def _group(file: Path) -> str:
    """Return the stack that a file shares with others, or its own name."""
    name = f"{file.parent.name}/{file.stem}"
    return next((shared for shared, files in _SHARED.items() if name in files), name)


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


def workshop(*arguments: str, timeout: float = 720, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the command ``workshop`` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "backstage", *arguments],
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
    )


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> "Site":
    """The PostgreSQL and the RabbitMQ that all files of this run share."""
    from tests import servers

    of_run = pytestconfig.stash[_SERVERS]
    return servers.start(Path(of_run["folder"]))


@pytest.fixture(scope="module")
def room(servers: "Site", tmp_path_factory: pytest.TempPathFactory) -> "Iterator[Machine]":
    """A virtual host and a database for this file alone, and a state folder that says so."""
    from tests.servers import room

    with room(servers, tmp_path_factory.mktemp("room") / "state") as machine:
        yield machine


@pytest.fixture(scope="module")
def worker(room: "Machine") -> "Iterator[psutil.Process]":
    """A worker with two processes in the room of this file."""
    from tests.servers import worker

    with worker() as process:
        yield process


@pytest.fixture(scope="session")
def all_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """All five services, privately and on ports of their own."""
    from tests.servers import at

    state = tmp_path_factory.mktemp("stack") / "state"
    with at(state):
        try:
            started = workshop("up", "--detach", WORKSHOP_TESTS=RUN)
            assert started.returncode == 0, started.stdout + started.stderr
        except BaseException:
            workshop("down", "--purge")
            raise
    yield state
    with at(state):
        workshop("down", "--purge")


@pytest.fixture(scope="module")
def stack(all_services: Path) -> Iterator[Path]:
    """The state folder of `all_services`, which this process uses; they are left as they were found."""
    from backstage.classroom.clearing import forget_settings
    from tests.integration.machine import Machine
    from tests.servers import at, empty

    with at(all_services):
        yield all_services
        forget_settings()
        empty(Machine(all_services))
