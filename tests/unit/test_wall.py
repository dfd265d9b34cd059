"""The wall goes on, whatever is wrong with what it looks at."""

import asyncio
import json

import pytest

from backstage.classroom import wall_page
from backstage.classroom.wall import Wall
from backstage.classroom.wall_page import _Shared
from workshop.errors import WorkshopError

pytestmark = pytest.mark.usefixtures("state")


def test_no_services() -> None:
    wall = Wall()
    wall.look()
    assert "Next: workshop up" in wall.words["trouble"]
    assert wall.png("machine").startswith(b"\x89PNG")


def test_a_fault_is_said_and_the_next_look_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes nonsense into a file that it reads stops no wall."""
    boards = iter([WorkshopError("stack.json is damaged.", "remove it"), Wall()])

    def make(run: str) -> Wall:
        made = next(boards)
        if isinstance(made, Exception):
            raise made
        return made

    monkeypatch.setattr(wall_page, "resolve_name", lambda name: make)
    monkeypatch.setattr(wall_page, "HALF", 0.01)
    shared = _Shared("wall", "")
    frames = []

    async def two() -> None:
        for _ in range(2):
            frames.append(json.loads(await shared.frame("machine", "")))
            await asyncio.sleep(0.1)

    asyncio.run(two())
    said = "stack.json is damaged. Next: remove it. This page goes on by itself."
    assert frames[0] == {"trouble": said}
    assert "The services do not run" in frames[1]["trouble"]


def test_thirty_pages_cost_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    looks = []
    monkeypatch.setattr(Wall, "look", lambda self: looks.append(self))
    shared = _Shared("wall", "")

    async def many() -> None:
        await asyncio.gather(*(shared.frame("machine", "") for _ in range(30)))

    asyncio.run(many())
    assert len(looks) == 1
