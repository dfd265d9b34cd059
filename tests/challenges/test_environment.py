"""A check tells a broken environment from a wrong answer, and each fault from the others."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import nbformat
import psutil
import pytest

from tests.challenges.attendee import Attendee
from tests.conftest import wait_for
from workshop.delivery.asking import living


@pytest.fixture(scope="module")
def attendee(one_attendee: Attendee) -> Attendee:
    one_attendee.start_afresh()
    return one_attendee


def check(attendee: Attendee, number: int = 1, code: int = 3) -> str:
    """Return what a check says, from its code on; before it there may be a line of progress."""
    said = attendee.machine.workshop("check", str(number), code=code, **attendee.environment)
    found = re.search(r"^(ENV|C\d)-.*", said, re.MULTILINE | re.DOTALL)
    assert found, said
    return found.group()


@contextmanager
def ended(attendee: Attendee, *names: str) -> Iterator[None]:
    """End services and keep their supervisor from starting them again meanwhile."""
    stack = attendee.machine.stack()
    os.kill(stack["pid"], signal.SIGSTOP)
    try:
        for name in names:
            process = psutil.Process(stack["services"][name]["pid"])
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):  # a child notices by itself that its parent is gone
                    each.kill()
        yield
    finally:
        os.kill(stack["pid"], signal.SIGCONT)
        for name in names:
            attendee.machine.until_again(name, stack["services"][name]["pid"], seconds=120)
        wait_for(lambda: all_ready(attendee), 120, "all services ready")


def digests(attendee: Attendee) -> dict[str, str]:
    """Return the digest of the code that each worker runs, by the worker's name."""
    return living(attendee.machine.stack()["database_url"])


def all_ready(attendee: Attendee) -> bool:
    return {service["state"] for service in attendee.machine.stack()["services"].values()} == {"ready"}


@contextmanager
def saved(attendee: Attendee, name: str, text: str) -> Iterator[None]:
    """Save a broken file, and mend it at the end; the worker comes back by itself."""
    path = attendee.machine.course / "workshop" / name
    before, ran = path.read_text(), digests(attendee)
    path.write_text(text)
    try:
        yield
    finally:
        path.write_text(before)
        wait_for(lambda: digests(attendee) == ran, 60, "the mended code")


@pytest.mark.parametrize(
    ("service", "code"),
    [("rabbitmq", "ENV-BROKER-DOWN"), ("postgis", "ENV-DATABASE-DOWN"), ("worker1", "ENV-WORKER-DOWN")],
)
def test_a_service_that_is_down_is_named(service: str, code: str, attendee: Attendee) -> None:
    with ended(attendee, service):
        said = check(attendee)
    assert said.startswith(f"{code} ! the environment is at fault\n"), said
    assert "Next: workshop logs" in said


def test_flower_is_mentioned_and_changes_nothing(attendee: Attendee) -> None:
    with ended(attendee, "flower"):
        said = check(attendee, code=1)
    assert said.startswith("C1-NOT-ATTEMPTED")
    assert "Note: ENV-FLOWER-DOWN" in said


def test_a_syntax_error_while_the_older_worker_runs(attendee: Attendee) -> None:
    with saved(attendee, "tasks.py", '"""Broken."""\n\ndef do_task(:\n'):
        said = check(attendee, 2)
    assert said.startswith("ENV-SYNTAX-ERROR"), said
    assert "workshop/tasks.py, line 3" in said
    assert "still runs the version before" in said


def test_a_file_that_compiles_and_yet_breaks_the_worker(attendee: Attendee) -> None:
    text = attendee.original("tasks.py").replace("max_retries=3", "max_retries=three")
    with saved(attendee, "tasks.py", text):
        said = check(attendee, 2)
    assert said.startswith("ENV-BROKEN-FILE"), said
    assert "workshop/tasks.py, line " in said
    assert "NameError: name 'three' is not defined" in said


def test_with_a_broken_file_help_goes_on(attendee: Attendee) -> None:
    names = ("tasks.py", "service.py", "demo.py")  # of several, the first by name is told
    ran = digests(attendee)
    try:
        for name in names:
            (attendee.machine.course / "workshop" / name).write_text("def broken(:\n")
            assert f"workshop/{name}, line 1" in check(attendee)
            assert "Hint 1 of" in attendee.machine.workshop("hint", "2")
            assert "challenge 1" in attendee.machine.workshop("progress")
            (attendee.machine.state / "progress.txt").unlink()
        wait_for(lambda: "workshop/demo.py, line 1" in attendee.machine.workshop("status"))
    finally:
        for name in names:
            (attendee.machine.course / "workshop" / name).write_text(attendee.original(name))
        wait_for(lambda: digests(attendee) == ran, 60, "the mended code")


def test_a_worker_on_an_older_file(attendee: Attendee) -> None:
    pid = attendee.machine.stack()["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        with saved(attendee, "tasks.py", attendee.original("tasks.py") + "\n# a later version\n"):
            said = check(attendee)
            shown = attendee.machine.workshop("status")
            os.kill(pid, signal.SIGCONT)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert said.startswith("ENV-OLD-CODE"), said
    assert "still runs the version before tasks.py was saved at" in said
    assert "runs the version before the last save" in shown


def test_a_worker_does_not_start_beside_another_of_its_name(attendee: Attendee) -> None:
    name = f"worker1@{socket.gethostname()}"
    with ended(attendee, "worker1"):
        wait_for(lambda: not digests(attendee), what="the end of its session")
        other = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "workshop.tasks", "worker", "-n", name, "-c", "1"],
            cwd=attendee.machine.course,
            env=attendee.machine.environment | attendee.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            wait_for(lambda: name in digests(attendee), 90, "the other one")
            os.kill(attendee.machine.stack()["pid"], signal.SIGCONT)
            told = f"another worker is at work as {name}"
            wait_for(
                lambda: told in attendee.machine.service("worker1")["message"], what="what is said of it"
            )
            assert check(attendee, code=1).startswith("C1-NOT-ATTEMPTED"), "the other one does the tasks"
        finally:
            other.terminate()
            other.wait(timeout=120)


def test_an_empty_table_of_nations(attendee: Attendee) -> None:
    nations = attendee.machine.sql("SELECT code, name, geom FROM geopython.uk_boundary")
    attendee.machine.sql("DELETE FROM geopython.uk_boundary")
    try:
        assert check(attendee).startswith("ENV-BOUNDARY-EMPTY")
    finally:
        for nation in nations:
            attendee.machine.sql("INSERT INTO geopython.uk_boundary VALUES (%s, %s, %s)", *nation)


def test_a_notebook_of_another_branch(attendee: Attendee) -> None:
    path = attendee.machine.course / "notebooks" / "02-retry.ipynb"
    before = path.read_bytes()
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["workshop"] = {"challenge": 9}
    nbformat.write(notebook, path)
    try:
        said = check(attendee, 2)
    finally:
        path.write_bytes(before)
    assert said.startswith("ENV-WRONG-BRANCH"), said
    assert "This notebook is from challenge-9, but the files in the folder are from" in said
    assert check(attendee, 1, code=1).startswith("C1-NOT-ATTEMPTED"), "the other notebooks are all right"


def test_no_services_at_all(attendee: Attendee) -> None:
    """The last test: it stops everything."""
    attendee.machine.workshop("down")
    assert check(attendee).startswith("ENV-STACK-DOWN")
    assert "Hint 1 of" in attendee.machine.workshop("hint", "1")
