"""Challenge 3 at home: three containers with a worker each."""

import pytest

from tests.compose.project import ALWAYS, Project
from tests.conftest import wait_for

pytestmark = pytest.mark.solved_course

SEND = """
from workshop import demo, settings
settings.change(pace=20)
print(*(demo.do_task.delay(demo.get_random_x(), demo.get_random_y()).id for _ in range(600)))
settings.change(pace=0)
"""

FLOWER = """
import base64, json, urllib.request
from backstage.stack.status import running_site
site = running_site()
login = {"Authorization": f"Basic {base64.b64encode(f'flower:{site.token}'.encode()).decode()}"}
page = urllib.request.Request(f"{site.flower_url}/workers?json=1", headers=login)
print([worker["status"] for worker in json.load(urllib.request.urlopen(page))["data"]])
"""


def in_flower(project: Project) -> int:
    """Return how many workers Flower's list of workers shows as living."""
    return project.python(FLOWER).count("True")


def test_three_workers_share_one_queue(project: Project) -> None:
    project.compose("up", "--detach", "--wait", "--scale", "worker=3")
    try:
        assert project.is_healthy(len(ALWAYS) + 2), project.health()
        said = project.exec("lab", "workshop", "status")
        assert said.count("runs the code as saved") == 3
        assert said.count("\nworker1") == 6  # the state and the code of each
        wait_for(lambda: in_flower(project) == 3, 60, "three workers in Flower")
        listed = ", ".join(f"'{id}'" for id in project.python(SEND).split())
        chosen = f"FROM grid_squares WHERE task_id IN ({listed})"
        wait_for(lambda: project.number(f"SELECT count(*) {chosen}") == 600, 180, "all rows")
        shares = project.sql(f"SELECT worker, count(*) {chosen} GROUP BY worker")
        assert len(shares) == 3, shares
        assert all(int(number) > 60 for _, number in shares), shares
    finally:
        project.compose("up", "--detach", "--wait", "--scale", "worker=1")

    def workers() -> int:
        return project.exec("lab", "workshop", "status", code=None).count("worker1")

    wait_for(lambda: workers() == 2, 90, "one worker")
