"""An edit on the host is what the worker runs a moment later, without a new image."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.compose.project import Project
from tests.conftest import wait_for

pytestmark = pytest.mark.solved_course

CALL = "geoprocess(x, y)"
SEND = """
from celery import Celery
from workshop.settings import broker_url
application = Celery(broker=broker_url())
application.config_from_object("workshop.delivery.configuration")
print(application.send_task("workshop.tasks.do_task", (325_200, 673_500)).id)
"""
"""By name, as the file of the task may have a mistake in it."""


@contextmanager
def edited(project: Project, old: str, new: str) -> Iterator[Path]:
    """Save another version of the task, as an editor on the host does; in the end the first one."""
    path = project.root / "workshop/tasks.py"
    before = path.read_text(encoding="utf-8")
    assert old in before
    path.write_text(before.replace(old, new), encoding="utf-8")
    try:
        yield path
    finally:
        path.write_text(before, encoding="utf-8")
        wait_for(lambda: is_running(project), 180, "the first version")


def status(project: Project) -> str:
    return project.exec("lab", "workshop", "status", code=None)  # 1 while the worker starts


def is_running(project: Project) -> bool:
    """Return whether the worker runs what is saved."""
    return "runs the code as saved" in status(project)


def easting(project: Project) -> int:
    """Send one task and return the easting in its row."""
    id = project.python(SEND).strip()
    query = f"SELECT x FROM grid_squares WHERE task_id = '{id}'"
    wait_for(lambda: project.sql(query), 180, "the row")
    return int(float(project.sql(query)[0][0]))


def seconds_to_reload(project: Project) -> float:
    """Return how many seconds a saved edit needs until a worker with it is ready."""
    [worker] = project.inspect("worker")
    said = f"docker logs {worker['Id']}"
    before = project.run(*said.split()).count("worker1    ready")
    with edited(project, CALL, "geoprocess(x + 1000, y)"):
        began = time.monotonic()
        wait_for(lambda: project.run(*said.split()).count("worker1    ready") > before, 180, "the new worker")
        seconds = time.monotonic() - began
        assert easting(project) == 326_200
    assert easting(project) == 325_200
    return seconds


def test_a_saved_edit_is_run(project: Project) -> None:
    image = project.inspect("worker")[0]["Image"]
    print(f"the worker ran the edit after {seconds_to_reload(project):.1f} s")
    assert project.inspect("worker")[0]["Image"] == image


def test_a_syntax_error_is_told_and_mended(project: Project) -> None:
    with edited(project, CALL, "geoprocess(x, y") as path:
        wait_for(lambda: "still the version before" in status(project), 90, "the word of the error")
        line = path.read_text(encoding="utf-8").partition("geoprocess(x, y")[0].count("\n") + 1
        assert f"workshop/tasks.py, line {line}" in status(project)
        assert "ENV-SYNTAX-ERROR" in project.exec("lab", "workshop", "check", "1", code=3)
        assert easting(project) == 325_200  # the version before goes on
    assert is_running(project)
