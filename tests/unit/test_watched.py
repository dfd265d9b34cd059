"""A service that someone else runs is watched: ready, broken, and ready again."""

import asyncio
from pathlib import Path

import pytest

from backstage.stack import forward, keeper
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site

SITE = Site(Path(), {"postgis": 1, "rabbitmq": 1, "management": 1}, "")


class Neighbour:
    """One that is there or not, as the test wants it, and counts how often it was given what it needs."""

    def __init__(self) -> None:
        self.there = True
        self.finished = 0

    def probe(self, site: Site) -> None:
        if not self.there:
            raise NotReady("nobody there")

    def finish(self, site: Site) -> None:
        self.finished += 1


def test_it_is_followed_as_it_goes_and_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "_LOOK_AGAIN", 0.01)
    neighbour = Neighbour()
    service = Service("postgis", lambda site: [], neighbour.probe, finish=neighbour.finish, patience=0.1)
    kept = keeper.Keeper(service, SITE, lambda _: True, lambda *_: None)

    async def until(state: str) -> None:
        async with asyncio.timeout(10):
            while kept.condition.state != state:
                await asyncio.sleep(0.01)

    async def run() -> None:
        task = asyncio.create_task(kept.run())
        await until("ready")
        neighbour.there = False
        await until("broken")
        assert "nobody there; looked at again after 1 s" in kept.condition.message
        async with asyncio.timeout(10):
            while kept.condition.restarts < 2:
                await asyncio.sleep(0.01)
        assert kept.condition.message.endswith("after 1 s")
        neighbour.there = True
        await until("ready")
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
    assert neighbour.finished == 2
    assert kept.condition.pid is None


@pytest.mark.parametrize("name", forward.WATCHED)
def test_one_that_does_not_answer_is_told_in_words(name: str) -> None:
    service = forward.WATCHED[name]
    assert service.command(SITE) == []
    trouble = service.trouble(SITE)
    assert trouble
    assert "refused" in trouble
