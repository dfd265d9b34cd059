"""What the page of the wall is told, and that all browsers are told the same."""

import json

import numpy as np

from backstage.classroom.raster import Raster
from backstage.classroom.scoreboard import Line, Standing
from backstage.classroom.wall import Frame, Frames, content
from tests.conftest import wait_for
from workshop.maps import NATIONS


def standing(rate: float) -> Standing:
    lines = [Line("machine01", 30, rate, 1.0, 2, 1, 0.5)]
    return Standing(lines, dict.fromkeys(NATIONS, 5), Raster(), "1-30")


def test_the_estimated_end_is_that_of_all_tasks_to_come() -> None:
    seen = content("Central", standing(10), waiting=100, unfed=500)
    assert (seen["left"], seen["done"], seen["rate"]) == (60, 30, 10)
    assert len(seen["end"]) == 5


def test_there_is_no_end_without_work_or_workers() -> None:
    ends = [
        content("Central", standing(rate), waiting)["end"]
        for rate, waiting in ((10, 0), (10, None), (0, 100), (0.1, 10**6))
    ]
    assert ends == [None] * 4


def test_a_harmful_name_stays_text() -> None:
    line = Line("<script>\u2028\"'", 1, 0, 1, 0, 0, 0)
    seen = content("x", Standing([line], dict.fromkeys(NATIONS, 0), Raster(), ""), 0)
    assert json.loads(Frame(seen, Raster()).json())["machines"][0]["machine"] == line.machine


def test_a_picture_is_drawn_once_for_all_browsers(monkeypatch) -> None:
    drawn = []
    picture = Raster()
    picture.add("machine01", "SCT", np.array([5]), np.array([0.0]))
    monkeypatch.setattr(Raster, "png", lambda self, by: drawn.append(by) or by.encode())
    frame = Frame({}, picture)
    assert [frame.png("machine"), frame.png("machine"), frame.png("nation")] == [b"machine"] * 2 + [b"nation"]
    assert drawn == ["machine", "nation"]


def test_no_services() -> None:
    shown = Frames(lambda: None)
    try:
        wait_for(lambda: "Next: workshop up" in shown.latest().content["trouble"], what="a sentence")
    finally:
        shown.end()
