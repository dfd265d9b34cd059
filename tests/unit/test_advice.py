"""What a failed start advises: to start without the data only where the data can't be read."""

import asyncio
import sys
from pathlib import Path

import pytest

from backstage.stack.keeper import Keeper
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site
from workshop.errors import WorkshopError

pytestmark = pytest.mark.posix


def failed_start(state: Path, lines: str) -> str:
    """Return what is said when a service writes these lines and ends."""
    (state / "logs").mkdir()
    command = [sys.executable, "-c", f"print({lines!r}); raise SystemExit(1)"]
    service = Service("rabbitmq", lambda _: command, _refuse, essential=True)

    async def start() -> None:
        kept = Keeper(Site(state, {}, ""), {}, lambda: None)
        kept.start(service)
        await kept.task

    with pytest.raises(WorkshopError) as failed:
        asyncio.run(start())
    return str(failed.value)


def _refuse(site: Site) -> None:
    raise NotReady("not yet")


@pytest.mark.parametrize(
    "lines",
    [
        "PANIC:  could not locate a valid checkpoint record",
        'could not open file "/state/postgis/global/pg_control": No such file or directory',
        "FATAL:  database files are incompatible with server",
        "error:{badmatch,{error,{normal,{mnesia_app,start,[normal,[]]}}}}",
        "error:{error,{inconsistent_database,running_partitioned_network}}",
    ],
)
def test_data_that_can_not_be_read_may_be_given_up_and_it_is_said_what_that_costs(
    lines: str, tmp_path: Path
) -> None:
    shown = failed_start(tmp_path, lines)
    assert "Its data can't be read. To start without its data: workshop down --purge" in shown
    assert "removes all squares, the task log, the tasks that wait, and this machine's settings" in shown


@pytest.mark.parametrize(
    "lines",
    [
        'FATAL:  could not bind IPv4 address "127.0.0.1": Address already in use',
        'FATAL:  could not open file "/state/postgis/global/pg_control": Permission denied',
        'PANIC:  could not write to file "pg_wal/xlogtemp.1": No space left on device',
        "connection refused by the proxy",
        "error:{badmatch,{error,{eacces,{mnesia_app,start,[normal,[]]}}}}",
    ],
)
def test_nothing_else_costs_data(lines: str, tmp_path: Path) -> None:
    shown = failed_start(tmp_path, lines)
    assert lines in shown
    assert "Next: " in shown and "workshop logs rabbitmq" in shown and "workshop doctor" in shown
    assert "purge" not in shown
