"""What an attendee sees in JupyterLab, in a browser without the internet."""

from urllib.parse import urljoin

import pytest
from playwright.sync_api import Page, expect

from tests.chromium import expect_map
from tests.conftest import wait_for
from workshop.tasks import application, do_task

NOTEBOOKS = ["00-start-here", "01-enqueue", "02-retry", "03-scale-out", "04-nothing-lost", "05-go-faster"]


def open_lab(page: Page, site, path: str) -> None:
    page.goto(f"http://127.0.0.1:{site.ports['lab']}/lab/tree/{path}?token={site.token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")


@pytest.mark.parametrize("name", NOTEBOOKS)
@pytest.mark.solved_course
def test_stored_notebook_shows_its_map(name, page, site, traffic):
    open_lab(page, site, f"notebooks/{name}.ipynb")
    expect_map(page)
    assert page.get_by_text("Make this Notebook Trusted").count() == 0
    assert traffic.elsewhere == []
    assert traffic.failed == []


def test_first_notebook_opens_by_itself(page, site, traffic):
    page.goto(site.lab_url)
    page.wait_for_selector(".jp-Notebook .jp-Cell")
    expect(page.get_by_role("heading", name="00 · Start here")).to_be_visible()
    assert traffic.elsewhere == []
    assert traffic.failed == []


def test_a_notebook_runs_in_the_browser(page, site, traffic):
    open_lab(page, site, "notebooks/00-start-here.ipynb")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=busy]")).to_be_attached()
    expect(page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")).to_be_attached(timeout=60_000)
    assert page.locator(".jp-OutputArea-output[data-mime-type='application/vnd.jupyter.stderr']").count() == 0
    assert traffic.elsewhere == []
    assert traffic.failed == []


def pool_size() -> int:
    """Ask the worker how many processes it has."""
    answers = application.control.inspect(timeout=2).stats() or {}
    return sum(len(stats["pool"]["processes"]) for stats in answers.values())


@pytest.mark.parametrize("inside", ["lab", "flower"])
def test_flower_shows_tasks_and_workers(inside, page, site, traffic):
    """Flower at its own address with its login, and as a page of JupyterLab without."""
    root = f"http://127.0.0.1:{site.ports[inside]}/flower"
    token = f"?token={site.token}" if inside == "lab" else ""
    id = do_task.delay(325_200, 673_500).id
    wait_for(pool_size, what="an answer of the worker")
    processes = pool_size()

    def task_is_shown() -> bool:
        page.goto(f"{root}/tasks{token}")
        page.wait_for_load_state("networkidle")
        return page.get_by_text(id).count() > 0

    wait_for(task_is_shown, what="the task on Flower's page")
    page.goto(f"{root}/task/{id}{token}")
    expect(page.get_by_text("SUCCESS").first).to_be_visible()

    def worker_is_shown() -> bool:
        page.goto(f"{root}/workers{token}")
        worker = page.get_by_role("link", name="worker1@").first.get_attribute("href")
        page.goto(urljoin(page.url, worker))
        page.wait_for_load_state("networkidle")
        return page.get_by_role("heading", name="Pool controls").count() > 0

    wait_for(worker_is_shown, 60, "the worker's page, for which Flower waits a moment only")
    page.get_by_role("button", name="Grow").click()  # what Flower says of it depends on the worker's speed
    wait_for(lambda: pool_size() == processes + 1, what="one process more")
    page.get_by_role("button", name="Shrink").click()
    wait_for(lambda: pool_size() == processes, what="one process less")
    page.goto(f"{root}/broker{token}")
    expect(page.get_by_role("cell", name="squares")).to_be_visible()
    assert traffic.elsewhere == []


def test_flower_shows_the_exception_of_a_failed_task(page, site):
    id = do_task.delay(-1, 5).id

    def failure_is_shown() -> bool:
        page.goto(f"http://127.0.0.1:{site.ports['lab']}/flower/task/{id}?token={site.token}")
        return page.get_by_text("x must be a number of metres").count() > 0

    wait_for(failure_is_shown, what="the exception on Flower's page")


def test_rabbitmq_pages_open_inside_lab(page, site, traffic):
    page.goto(f"http://127.0.0.1:{site.ports['lab']}/rabbitmq/?token={site.token}")
    page.locator("[name=username]").fill("celery_user")
    page.locator("[name=password]").fill("secret")
    page.locator("input[type=submit]").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.get_by_role("link", name="Queues", exact=True).click()
    expect(page.get_by_role("link", name="squares", exact=True)).to_be_visible()
    assert traffic.elsewhere == []
