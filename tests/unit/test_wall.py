"""What the page of the wall is told."""

import pytest

from backstage.classroom.scoreboard import Line, Standing
from backstage.classroom.wall import Wall, for_page, seconds_left
from tests.conftest import wait_for
from workshop.maps import NATIONS


def test_the_estimated_end_is_that_of_all_tasks_to_come() -> None:
    assert seconds_left(600, 10) == 60


@pytest.mark.parametrize(("todo", "rate"), [(0, 10), (0, 0), (100, 0), (10**6, 0.1)])
def test_there_is_no_end_without_work_or_workers_or_within_a_day(todo: int, rate: float) -> None:
    assert seconds_left(todo, rate) is None


def test_machines_and_nations_have_names_and_colours() -> None:
    told = for_page(Standing([Line("machine01", 30, 10.0, 100.0, 2, 1, 0.5)], dict.fromkeys(NATIONS, 5)))
    assert (told["done"], told["rate"]) == (30, 10)
    assert told["nations"][0] == {"name": "England", "colour": "#D55E00", "done": 5}
    assert told["machines"][0] == {
        "machine": "machine01",
        "done": 30,
        "rate": 10.0,
        "share": 100.0,
        "retries": 2,
        "failures": 1,
        "seen": 0.5,
        "colour": "#0072B2",
    }


def test_no_services(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    wall = Wall()
    wait_for(lambda: "Next: workshop up" in wall.latest()["trouble"], what="a sentence")
    assert wall.png("machine").startswith(b"\x89PNG")
