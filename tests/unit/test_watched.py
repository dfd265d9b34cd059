"""A service that someone else runs is watched: ready, broken, and ready again."""

import asyncio
from pathlib import Path

import pytest

from backstage.stack import keeper, plan
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site

SITE = Site(Path(), {"postgis": 1, "rabbitmq": 1, "management": 1}, "")


class OtherContainer:
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
    other = OtherContainer()
    service = Service("postgis", lambda site: [], other.probe, finish=other.finish, patience=0.1)
    kept = keeper.Keeper(service, SITE, {}, lambda line: None)

    async def until(state: str) -> None:
        async with asyncio.timeout(10):
            while kept.status.state != state:
                await asyncio.sleep(0.01)

    async def run() -> None:
        task = asyncio.create_task(kept.run())
        await until("ready")
        other.there = False
        await until("broken")
        assert "nobody there; looked at again after 1 s" in kept.status.message
        async with asyncio.timeout(10):
            while kept.status.restarts < 2:
                await asyncio.sleep(0.01)
        assert kept.status.message.endswith("after 1 s")
        other.there = True
        await until("ready")
        kept.leave()
        await task

    asyncio.run(run())
    assert other.finished == 2
    assert kept.status.pid is None


def test_one_that_leaves_before_it_started_says_nothing_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeper, "syntax_error", lambda: "workshop/tasks.py, line 1: invalid syntax")
    said: list[str] = []
    other = keeper.Keeper(Service("rabbitmq", lambda site: [], lambda site: None), SITE, {}, said.append)
    service = Service("worker1", lambda site: [], lambda site: None, needs=("rabbitmq",), reloads=True)
    kept = keeper.Keeper(service, SITE, {"rabbitmq": other}, said.append)

    async def run() -> None:
        task = asyncio.create_task(kept.run())
        await asyncio.sleep(0)
        kept.leave()
        await task

    asyncio.run(run())
    assert kept.status.state == "stopping"
    assert said == []


@pytest.mark.parametrize("name", plan.WATCHED)
def test_one_that_does_not_answer_is_told_in_words(name: str) -> None:
    service = plan.WATCHED[name]
    assert service.command(SITE) == []
    trouble = service.trouble(SITE)
    assert trouble
    assert "refused" in trouble
