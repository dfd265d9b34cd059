"""A page of JupyterLab that was open during a reset: its old work never lands on the new starter."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import browser as browser
from tests.chromium import opened
from tests.conftest import wait_for
from tests.integration.machine import ROOT, Machine, copy_course

pytestmark = pytest.mark.solved_course

NOTEBOOK = "notebooks/01-enqueue.ipynb"
REFUSAL = "Not saved: the course was reset, or saved work was brought back, and this page still shows"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A JupyterLab of its own, of a copy of the course that a test can change."""
    folder = tmp_path_factory.mktemp("lab")
    lab = Machine(folder / "state", copy_course(folder / "course"))
    shutil.copytree(ROOT / "notebooks", lab.course / "notebooks")
    try:
        lab.workshop("up", "--detach", "lab")
        lab.workshop("reset", "1", "--yes")
        yield lab
    finally:
        lab.workshop("down", "--purge")


@pytest.fixture
def page(lab: Machine, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The notebook, opened, with an edit that is not saved."""
    token = json.loads((lab.state / "token.json").read_text())["token"]
    with opened(browser, request) as page:
        page.on("dialog", lambda question: question.accept())  # leave without saving? yes
        page.goto(f"http://127.0.0.1:{lab.stack()['ports']['lab']}/lab/tree/{NOTEBOOK}?token={token}&reset")
        page.get_by_text("| Idle").wait_for()
        edit(page, "# old work\n")
        yield page


def edit(page: Page, text: str) -> None:
    """Type into the first cell of code, and don't save."""
    page.locator(".jp-CodeCell").first.scroll_into_view_if_needed()
    page.locator(".jp-CodeCell .cm-content").first.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type(text)


def answer(page: Page, button: str) -> None:
    page.get_by_role("dialog").get_by_role("button", name=button, exact=True).click()


@pytest.mark.parametrize("challenge", ["1", "2", "restored"])
def test_it_is_refused_until_the_page_is_loaded_again(lab: Machine, page: Page, challenge: str) -> None:
    """Also where the starter is that of the same challenge, and though the person wants to overwrite it.

    Work that was brought back is as safe.
    """
    if challenge == "restored":
        work = lab.course / "my-work" / "mine" / NOTEBOOK
        work.parent.mkdir(parents=True)
        shutil.copy(lab.course / NOTEBOOK, work)
        lab.workshop("restore", "mine")
    else:
        lab.workshop("reset", challenge, "--yes")
    file = lab.course / NOTEBOOK
    starter = file.read_bytes()

    page.keyboard.press("Control+s")
    if challenge == "2":
        expect(page.get_by_role("dialog")).to_contain_text("File Changed")
        answer(page, "Overwrite")
    expect(page.get_by_role("dialog")).to_contain_text(REFUSAL)
    assert file.read_bytes() == starter

    page.reload()
    page.get_by_text("| Idle").wait_for()
    expect(page.get_by_text("# old work")).to_have_count(0)
    edit(page, "# new work\n")
    page.keyboard.press("Control+s")
    wait_for(lambda: "# new work" in file.read_text(), what="new work on disk")
    known = json.loads(starter)["metadata"].keys()
    assert json.loads(file.read_text())["metadata"].keys() == known, "the page's number is never on disk"
    lab.workshop("reset", "1", "--yes")


def test_what_is_in_it_can_be_kept_under_another_name(lab: Machine, page: Page) -> None:
    lab.workshop("reset", "1", "--yes")
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Save Notebook As…").click()
    page.get_by_role("dialog").get_by_role("textbox").fill("notebooks/kept.ipynb")
    answer(page, "Save")
    kept: Path = lab.course / "notebooks/kept.ipynb"
    wait_for(
        lambda: kept.exists() and "# old work" in kept.read_text(), what="the old work in a file of its own"
    )
