"""The course itself, inside: the demo, a notebook, the commands, a reset."""

import re

import pytest

from tests.compose.project import Project
from tests.conftest import wait_for

pytestmark = pytest.mark.solved_course

TASKS = 2500


def rows(project: Project) -> tuple[int, int]:
    """Return how many squares there are, and of how many tasks."""
    [[squares, tasks]] = project.sql("SELECT count(*), count(DISTINCT task_id) FROM grid_squares")
    return int(squares), int(tasks)


def test_the_demo_makes_a_row_of_each_task(project: Project) -> None:
    before, _ = rows(project)
    said = project.exec("worker", "python", "-m", "workshop.demo")
    assert f"called do_task {TASKS} times asynchronously" in said
    wait_for(lambda: rows(project)[0] >= before + TASKS, 300, "all rows")
    assert rows(project) == (before + TASKS, before + TASKS)
    assert "The ledger balances" in project.exec("lab", "workshop", "ledger")


def test_status_names_all_parts_and_where_they_are(project: Project) -> None:
    said = project.exec("lab", "workshop", "status")
    for name in ("postgis", "rabbitmq", "worker1@", "flower", "lab"):
        assert re.search(rf"^{name}\S* +ready", said, re.MULTILINE)
    assert "runs the code as saved" in said
    for name in ("lab", "flower", "management"):
        assert f"http://127.0.0.1:{project.ports[name]}" in said
    assert f"port {project.ports['postgis']}" in said


def test_the_doctor_finds_nothing(project: Project) -> None:
    assert project.exec("lab", "workshop", "doctor").endswith("READY\n")


@pytest.mark.parametrize(
    ("name", "words"),
    [("worker", "worker1    ready"), ("worker", "[queues]"), ("lab", "Jupyter Server"), ("lab", "?token=")],
)
def test_docker_keeps_what_each_container_says(name: str, words: str, project: Project) -> None:
    assert words in project.compose("logs", name)
    said = project.exec("lab", "workshop", "logs", name, code=3)
    assert said.strip().endswith(f"docker compose logs {name}")


def test_breaking_is_told_where_it_works(project: Project) -> None:
    said = project.python("from backstage.stack.breaking import kill_worker; kill_worker()")
    assert "Nothing was broken: the services run in containers" in said
    said = project.exec("lab", "workshop", "down", code=3)
    assert "docker compose down" in said


def test_a_reset_leaves_all_files_to_their_owner(project: Project) -> None:
    project.exec("lab", "workshop", "reset", "1", "--yes")
    try:
        assert project.foreign_files() == []
        assert "BEGIN SOLUTION 1" not in (project.root / "workshop/demo.py").read_text(encoding="utf-8")
        assert "C1-NOT-ATTEMPTED" in project.exec("lab", "workshop", "check", "1", code=1)
        assert rows(project) == (0, 0)
        project.exec("lab", "workshop", "reset", "1", "--solved", "--yes")
        assert "called do_task" in project.exec("worker", "python", "-m", "workshop.demo")
        wait_for(lambda: rows(project) == (TASKS, TASKS), 300, "all rows")
    finally:
        project.exec("lab", "git", "switch", "--quiet", "main")
    assert project.foreign_files() == []

    def status() -> str:
        return project.exec("lab", "workshop", "status", code=None)

    wait_for(lambda: "runs the code as saved" in status(), 180, "main's code")
