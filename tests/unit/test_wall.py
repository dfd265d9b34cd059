"""What the page of the wall is told."""

import pytest

from backstage.classroom import wall
from backstage.classroom.wall import seconds_left


def test_the_estimated_end_is_that_of_all_tasks_to_come() -> None:
    assert seconds_left(600, 10) == 60


@pytest.mark.parametrize(("todo", "rate"), [(0, 10), (0, 0), (100, 0), (10**6, 0.1)])
def test_there_is_no_end_without_work_or_workers_or_within_a_day(todo: int, rate: float) -> None:
    assert seconds_left(todo, rate) is None


def test_no_services(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    assert "Next: workshop up" in wall.look()["trouble"]
    assert wall.png("machine").startswith(b"\x89PNG")
