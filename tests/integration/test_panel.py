"""The panel follows a run of real tasks: from the first that is sent to its end, and then the next run."""

import psutil
import pytest

from backstage.classroom.panel import Panel
from tests.conftest import wait_for
from workshop import settings
from workshop.delivery import record
from workshop.tasks import do_task

pytestmark = pytest.mark.usefixtures("room")


def totals(panel: Panel) -> dict[str, str]:
    panel.look()
    return dict(panel.words.get("totals", []))


def test_it_begins_by_itself_and_knows_whose_run_it_is(worker: psutil.Process) -> None:
    mine, other, all_ = Panel(record.PROCESS), Panel("nobody"), Panel("")
    assert totals(mine) == {}
    assert "The panel begins by itself" in mine.words["trouble"]
    settings.change(fault_rate=0)
    for x in range(200):
        do_task.delay(325_200 + 1000 * (x % 20), 673_500 - 1000 * (x // 20))
    before = mine.frame("nation", "")["since"]
    wait_for(lambda: totals(mine) and mine.words["over"], what="the end of the run")
    assert totals(mine)["done"] == "200 of 200"
    assert mine.words["bar"] == (200, 200)
    assert mine.words["title"].endswith("100 %")
    assert sum(len(its) for _, its in mine.frame("nation", before)["squares"]) == 200
    (row,) = mine.words["rows"]
    assert (row["cells"][1], row["cells"][3]) == ("200", "100 %")
    assert totals(other) == {}
    wait_for(lambda: totals(all_).get("done") == "200 of 200", what="the panel of whoever sent last")


def test_a_task_that_is_due_for_a_retry_is_shown_as_that(worker: psutil.Process) -> None:
    panel = Panel(record.PROCESS)
    with settings.changed(fault_rate=1):
        for x in range(5):
            do_task.delay(325_200 + x, 673_500)
        wait_for(lambda: totals(panel).get("due for a retry") == "5", what="five that are due")
        wait_for(lambda: totals(panel) and panel.words["over"], what="their fourth attempt, which passes")
    assert totals(panel)["retries"] == "15"
    assert totals(panel)["due for a retry"] == "0"
