"""The main job without a browser."""

import re
import subprocess
import sys
from dataclasses import replace
from subprocess import PIPE, Popen

import pytest

from tests.conftest import wait_for
from tests.integration.machine import copy_course
from workshop import settings, state_folder
from workshop.delivery.record import runs


@pytest.fixture
def faults(worker):
    """Settings that would keep the demo from ending well, and that it must not use."""
    settings.change(fault_rate=0.9, pace=3)
    yield
    settings.change(fault_rate=None, pace=None)


SEND = "from workshop.tasks import do_task\nfor _ in range(30): do_task.delay(325200, 673500)"


@pytest.mark.challenge(1)
def test_demo_makes_2500_rows_a_map_and_a_table_of_its_own_tasks(faults):
    """A notebook sends tasks at the same time; they are none of the demo's."""
    target = state_folder.ROOT / "demo.html"
    target.unlink(missing_ok=True)
    with Popen([sys.executable, "-m", "backstage", "demo"], stdout=PIPE, stderr=PIPE, text=True) as demo:
        try:
            wait_for(
                lambda: any(run.source.startswith("make demo") for run in runs()), 120, "the demo's tasks"
            )
            subprocess.run([sys.executable, "-c", SEND], check=True)
            shown, errors = demo.communicate(timeout=720)
        finally:
            demo.kill()
    assert demo.returncode == 0, shown + errors
    assert "2,500 tasks, 2,500 done, 0 failed" in shown
    counts = re.findall(r"^[A-Z][A-Za-z ]+ (\d+) +(\d+)$", shown, re.MULTILINE)
    squares, tasks = (sum(int(number) for number in column) for column in zip(*counts, strict=True))
    assert squares < tasks == 2500, "some squares were hit by two tasks"
    assert "<html" in target.read_text()
    after = {name: value for name, value in state_folder.read("settings.json").items() if value is not None}
    assert after == {"fault_rate": 0.9, "pace": 3}, "what was set before is set again"


def test_a_demo_that_is_not_solved_says_so(room, tmp_path):
    course = copy_course(tmp_path)
    (course / "workshop/demo.py").write_text("")
    said = replace(room, course=course).workshop("demo", code=1)
    assert "sent 0 tasks: it has no loop yet: that is challenge 1" in said
