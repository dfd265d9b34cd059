"""The main job without a browser."""

import re

import pytest

from tests.conftest import workshop
from tests.integration.machine import Machine, copy_course
from workshop import machine, settings


@pytest.fixture
def faults(stack):
    """Settings that would keep the demo from ending well, and that it must not use."""
    settings.change(fault_rate=0.9, pace=3)
    yield
    settings.change(fault_rate=None, pace=None)


@pytest.mark.challenge(1)
def test_demo_makes_2500_rows_a_map_and_a_table(faults):
    target = machine.ROOT / "demo.html"
    target.unlink(missing_ok=True)
    run = workshop("demo")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "2,500 tasks, 2,500 rows, 0 failed" in run.stdout
    assert (
        sum(int(number) for number in re.findall(r"^[A-Z][A-Za-z ]+ (\d+)$", run.stdout, re.MULTILINE))
        == 2500
    )
    assert "<html" in target.read_text()
    after = {name: value for name, value in machine.read("settings.json").items() if value is not None}
    assert after == {"fault_rate": 0.9, "pace": 3}, "what was set before is set again"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "sent 0 tasks: it has no loop yet: that is challenge 1"),
        ("import nothing_of_this_name\n", "ModuleNotFoundError: No module named 'nothing_of_this_name'"),
    ],
)
def test_a_demo_that_is_not_solved_or_broken_says_so(stack, tmp_path, text, reason):
    course = copy_course(tmp_path)
    (course / "workshop/demo.py").write_text(text)
    assert reason in Machine(stack, course).workshop("demo", code=1)
