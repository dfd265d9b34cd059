"""Each container is killed while tasks run: it comes back by itself, and no task is lost."""

import time

import pytest

from tests.compose.project import ALWAYS, Project
from tests.conftest import wait_for

pytestmark = pytest.mark.solved_course

TASKS = 200
SEND = f"""
from workshop import demo, settings
settings.change(pace=100)
print(*(demo.do_task.delay(demo.get_random_x(), demo.get_random_y()).id for _ in range({TASKS})))
"""


def kill(project: Project, service: str) -> None:
    """End the first process of a container, and so the container, as a crash does.

    ``docker kill`` would count as stopped by a person, and such a container stays stopped.
    """
    [container] = project.inspect(service)
    host = ("--rm", "--privileged", "--pid=host", "--network=none", "--user=0", "--entrypoint=sh")
    strike = f"kill -9 {container['State']['Pid']}"
    project.run("docker", "run", *host, "task-queue-workshop", "-c", strike)


@pytest.mark.parametrize("service", ALWAYS)
def test_it_comes_back_and_nothing_is_lost(service: str, project: Project) -> None:
    ids = project.python(SEND).split()
    listed = ", ".join(f"'{id}'" for id in ids)
    done = f"SELECT count(*) FROM grid_squares WHERE task_id IN ({listed})"
    assert project.number(done) < TASKS, "all tasks are done already: this shows nothing"
    before = project.inspect(service)[0]["RestartCount"]
    began = time.monotonic()
    kill(project, service)
    wait_for(lambda: project.inspect(service)[0]["RestartCount"] > before, 30, "the restart")
    wait_for(project.is_healthy, 120, "health of all containers")
    print(f"{service} and all others were healthy again after {time.monotonic() - began:.1f} s")
    wait_for(lambda: project.number(done) == TASKS, 120, f"a row of each of {TASKS} tasks")


def test_the_ledger_agrees(project: Project) -> None:
    assert "The ledger balances" in project.exec("lab", "workshop", "ledger")
