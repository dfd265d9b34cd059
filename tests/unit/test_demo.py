"""The producer sends one task for each point."""

from unittest.mock import patch

import pytest

from workshop import demo


@pytest.mark.challenge(1)
def test_call_do_task_sends_as_many_as_asked(capsys):
    with patch.object(demo.do_task, "delay") as delay:
        demo.call_do_task(iterations=7)
    assert delay.call_count == 7
    assert len({call.args for call in delay.call_args_list}) == 7, "each task has a point of its own"
    assert "7 times" in capsys.readouterr().out


def test_random_points_are_on_the_grid():
    assert all(0 <= demo.get_random_x() < 700_000 for _ in range(1000))
    assert all(0 <= demo.get_random_y() < 1_300_000 for _ in range(1000))
