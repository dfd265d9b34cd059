"""What is saved in JupyterLab: an edit reaches the worker, and old work never lands on a newer starter."""

import json
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import browser as browser
from tests.chromium import opened
from tests.conftest import wait_for
from tests.integration.machine import CORE, ROOT, Machine, copy_course
from workshop.delivery.asking import living

pytestmark = pytest.mark.solved_course

NOTEBOOK = "notebooks/01-enqueue.ipynb"
REFUSAL = "Not saved: the course was reset, or saved work was brought back, and this page still shows"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A JupyterLab and a worker of a copy of the course that a test can change."""
    folder = tmp_path_factory.mktemp("lab")
    lab = Machine(folder / "state", copy_course(folder / "course"))
    shutil.copytree(ROOT / "notebooks", lab.course / "notebooks")
    try:
        lab.workshop("up", "--detach", *CORE, "lab")
        lab.workshop("reset", "1", "--yes")
        yield lab
    finally:
        lab.workshop("down", "--purge")


@pytest.fixture
def page(lab: Machine, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened(browser, request) as page:
        page.on("dialog", lambda question: question.accept())  # leave without saving? yes
        yield page


@pytest.fixture
def old_page(lab: Machine, page: Page) -> Page:
    """The notebook, opened, with an edit that is not saved."""
    show(page, lab, NOTEBOOK)
    page.get_by_text("| Idle").wait_for()
    edit(page, "# old work\n")
    return page


def show(page: Page, lab: Machine, path: str) -> None:
    token = json.loads((lab.state / "token.json").read_text())["token"]
    page.goto(f"http://127.0.0.1:{lab.stack()['ports']['lab']}/lab/tree/{path}?token={token}&reset")


def edit(page: Page, text: str) -> None:
    """Type into the first cell of code, or the file, and don't save."""
    editor = page.locator(".jp-CodeCell .cm-content, .jp-FileEditor .cm-content").first
    editor.scroll_into_view_if_needed()
    editor.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type(text)


def answer(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


def test_an_edit_of_the_program_is_run_by_the_worker(lab: Machine, page: Page) -> None:
    file = lab.course / "workshop/service.py"
    show(page, lab, "workshop/service.py")
    edit(page, "# an attendee was here\n")
    page.keyboard.press("Control+s")
    wait_for(lambda: file.read_text().startswith("# an attendee was here\n"), what="the edit on disk")
    digest = lab.python("from workshop.delivery.asking import code_digest; print(code_digest())").stdout
    workers = lab.stack()["database_url"]
    wait_for(lambda: digest.strip() in living(workers).values(), 120, "a worker that runs it")


def test_old_work_is_refused_until_the_page_is_loaded_again(lab: Machine, old_page: Page) -> None:
    """Though the person wants to overwrite the starter."""
    lab.workshop("reset", "2", "--yes")
    file = lab.course / NOTEBOOK
    starter = file.read_bytes()

    old_page.keyboard.press("Control+s")
    expect(old_page.get_by_role("dialog")).to_contain_text("File Changed")
    answer(old_page, "Overwrite")
    expect(old_page.get_by_role("dialog")).to_contain_text(REFUSAL)
    assert file.read_bytes() == starter

    old_page.reload()
    old_page.get_by_text("| Idle").wait_for()
    expect(old_page.get_by_text("# old work")).to_have_count(0)
    edit(old_page, "# new work\n")
    old_page.keyboard.press("Control+s")
    wait_for(lambda: "# new work" in file.read_text(), what="new work on disk")
    known = json.loads(starter)["metadata"].keys()
    assert json.loads(file.read_text())["metadata"].keys() == known, "the page's number is never on disk"
