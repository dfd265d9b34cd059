"""The course itself, inside: the demo, a notebook, the commands, a reset."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from backstage.stack import breaking
from tests.compose.project import Project
from tests.conftest import wait_for

pytestmark = pytest.mark.solved_course

TASKS = 2500


def rows(project: Project) -> tuple[int, int]:
    """Return how many squares there are, and of how many tasks."""
    [[squares, tasks]] = project.sql("SELECT count(*), count(DISTINCT task_id) FROM grid_squares")
    return int(squares), int(tasks)


def test_the_demo_makes_a_row_of_each_task(project: Project) -> None:
    before, tasks = rows(project)
    said = project.exec("worker", "python", "-m", "workshop.demo")
    assert f"called do_task {TASKS} times asynchronously" in said
    wait_for(lambda: rows(project)[0] >= before + TASKS, 300, "all rows")
    assert rows(project) == (before + TASKS, tasks + TASKS)


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


BREAK = """
from datetime import UTC, datetime
from backstage import breaking
from workshop import live, settings
from workshop.tasks import do_task
began = datetime.now(UTC)
with settings.changed(pace=1000):  # so that tasks wait
    tasks = [do_task.delay(325_200, 673_500) for _ in range(30)]
    breaking.{strike}()
print(sorted(breaking.broken(began)), live.watch(quiet=True))
"""


@pytest.mark.parametrize(
    ("strike", "container", "broken"),
    [
        ("kill_worker", "worker", ["worker"]),
        ("restart_broker", "rabbitmq", ["broker", "worker"]),
        ("restart_database", "postgis", ["database"]),
    ],
)
def test_what_a_person_kills_is_seen(project: Project, strike: str, container: str, broken: list) -> None:
    with ThreadPoolExecutor() as pool:
        told = pool.submit(project.python, BREAK.format(strike=strike))
        pace = "from workshop import settings; print(settings.pace())"
        wait_for(lambda: float(project.python(pace)) == breaking.PACE or told.done(), 60, "the commands")
        project.compose("kill", container)
        project.compose("start", container)
        said = told.result(timeout=120)
    assert f"docker compose kill {container}\ndocker compose start {container}\n" in said
    assert f"{broken} 30 sent: 30 done, 0 failed" in said and said.endswith("0 retries so far\n")


def test_a_process_of_a_worker_is_killed_from_lab(project: Project) -> None:
    said = project.python(BREAK.format(strike="kill_process"))
    assert "['process'] 30 sent: 30 done, 0 failed" in said


def test_down_is_for_the_owner_of_the_computer(project: Project) -> None:
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
