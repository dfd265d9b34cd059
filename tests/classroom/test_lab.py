"""A reset and the open pages of JupyterLab: no edit is lost, and no old page writes over a starter."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import browser as browser
from tests.conftest import wait_for
from tests.integration.machine import ROOT, Machine, copy_course
from workshop import machine
from workshop.classroom.lab import PagesNotSaved, reopen
from workshop.classroom.lab import save_and_close as save_and_close_here

FIRST, SECOND, TASKS = "notebooks/01-enqueue.ipynb", "notebooks/02-retry.ipynb", "workshop/tasks.py"
OTHER = "notebooks/00-start-here.ipynb"
CHANGED = [FIRST, SECOND, TASKS, "notebooks/03-scale-out.ipynb"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A JupyterLab of its own, of a copy of the course that a test can change."""
    folder = tmp_path_factory.mktemp("lab")
    lab = Machine(folder / "state", copy_course(folder / "course"))
    shutil.copytree(ROOT / "notebooks", lab.course / "notebooks")
    try:
        lab.workshop("up", "--detach", "lab")
        yield lab
    finally:
        lab.workshop("down", "--purge")


@pytest.fixture(scope="module")
def page(lab: Machine, browser: Browser) -> Page:
    """The attendee's page, where a notebook is open that no reset changes."""
    return new_page(lab, browser)


def new_page(lab: Machine, browser: Browser, path: str = OTHER, asleep: bool = False) -> Page:
    """Open a document in a page of its own; one that is asleep hears no command."""
    page = browser.new_page(viewport={"width": 1200, "height": 700})
    if asleep:
        page.route_web_socket("**/api/events/subscribe*", lambda socket: None)
    page.goto(f"{address(lab)}/lab/tree/{path}?token={token(lab)}&reset")
    page.get_by_text("| Idle").wait_for()
    return page


def picture(page: Page, name: str) -> None:
    pictures = ROOT / ".workshop" / "screenshots"
    pictures.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=pictures / f"reset-{name}.png")


def address(lab: Machine) -> str:
    return f"http://127.0.0.1:{lab.stack()['ports']['lab']}"


def token(lab: Machine) -> str:
    return json.loads((lab.state / "token.json").read_text())["token"]


def api(lab: Machine, path: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"token {token(lab)}"}
    request = Request(f"{address(lab)}/api/{path}", data, headers, method="PUT" if body else "GET")
    with urlopen(request, timeout=10) as answer:
        return json.loads(answer.read())


def save_and_close(lab: Machine, paths: list[str]) -> list[str]:
    code = f"from workshop.classroom import lab; print(*lab.save_and_close({paths}))"
    done = lab.python(code)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def open_document(page: Page, path: str) -> None:
    """Open a document by its path, as the File menu does."""
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Open from Path…").click()
    page.get_by_placeholder("/path/relative/to/jlab/root").fill(path)
    page.get_by_role("button", name="Open", exact=True).click()
    tab(page, path).wait_for()


def tab(page: Page, path: str):
    return page.locator("#jp-main-dock-panel .lm-TabBar-tabLabel", has_text=Path(path).name)


def edit(page: Page, path: str, text: str) -> None:
    """Type into the first cell or line of a document, and don't save."""
    tab(page, path).click()
    panel = page.locator("#jp-main-dock-panel .lm-DockPanel-widget:not(.lm-mod-hidden)")
    if path.endswith(".ipynb"):
        panel.locator(".jp-CodeCell").first.scroll_into_view_if_needed()
    panel.locator(".jp-CodeCell .cm-content" if path.endswith(".ipynb") else ".cm-content").first.click()
    page.keyboard.press("Control+Home")
    page.keyboard.type(text)


def put_starter(lab: Machine, path: str) -> bytes:
    """Replace a document, as a reset does; return its new content."""
    file = lab.course / path
    file.write_bytes((ROOT / path).read_bytes().replace(b"Try again", b"The starter"))
    return file.read_bytes()


def save(page: Page) -> None:
    page.keyboard.press("Control+s")


def test_a_reset_saves_and_closes_what_it_changes(lab: Machine, page: Page) -> None:
    for path in (FIRST, SECOND, TASKS):
        open_document(page, path)
    wait_for(lambda: len(api(lab, "sessions")) == 3, what="a kernel for each notebook")
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("New", exact=True).hover()
    page.get_by_text("Terminal", exact=True).click()
    page.locator(".jp-Terminal").wait_for()  # its tab is called as its shell wants
    edit(page, SECOND, "# not saved yet\n")
    edit(page, TASKS, "# nor this\n")
    picture(page, "before")

    assert save_and_close(lab, CHANGED) == [FIRST, SECOND, TASKS]

    assert "# not saved yet" in (lab.course / SECOND).read_text()
    assert (lab.course / TASKS).read_text().startswith("# nor this\n")
    for path in (FIRST, SECOND, TASKS):
        expect(tab(page, path)).to_have_count(0)
    expect(tab(page, OTHER)).to_be_visible()
    expect(page.locator(".jp-Terminal")).to_have_count(1)
    expect(page.get_by_role("dialog")).to_have_count(0)
    assert [session["path"] for session in api(lab, "sessions")] == [OTHER]
    picture(page, "after")

    lab.python(f"from workshop.classroom import lab; lab.reopen('{FIRST}')")
    tab(page, FIRST).wait_for()
    picture(page, "reopened")


def test_an_old_page_never_saves_over_a_starter(lab: Machine, browser: Browser, page: Page) -> None:
    old = new_page(lab, browser, SECOND, asleep=True)
    old.on("dialog", lambda question: question.accept())  # leave without saving? yes
    edit(old, SECOND, "# old work\n")
    assert save_and_close(lab, [SECOND]) == [SECOND]
    starter = put_starter(lab, SECOND)

    save(old)
    expect(old.get_by_role("dialog")).to_contain_text("Not saved: the course was reset at")
    picture(old, "refused")
    old.get_by_role("button", name="Close", exact=True).click()
    assert (lab.course / SECOND).read_bytes() == starter

    lab.python(f"from workshop.classroom import lab; lab.reopen('{SECOND}')")
    expect(page.get_by_role("heading", name="The starter")).to_be_visible()
    edit(page, SECOND, "# new work\n")
    save(page)
    wait_for(lambda: "# new work" in (lab.course / SECOND).read_text(), what="new work on disk")

    save(old)
    expect(old.get_by_role("dialog")).to_contain_text("Not saved: the course was reset at")
    assert "# old work" not in (lab.course / SECOND).read_text()
    old.reload()
    expect(old.get_by_role("heading", name="The starter")).to_be_visible()
    picture(old, "loaded-again")
    old.close()


def test_a_document_that_cannot_be_saved_stops_the_reset(lab: Machine, page: Page) -> None:
    edit(page, OTHER, "# mine\n")
    (lab.course / OTHER).write_bytes((ROOT / OTHER).read_bytes() + b"\n")
    refused = lab.python(
        f"from workshop.classroom import lab\n"
        f"try: lab.save_and_close(['{OTHER}'])\nexcept lab.PagesNotSaved as refused: print(refused)"
    )
    assert refused.stdout.startswith(f"JupyterLab could not save {OTHER}. Nothing is reset.\nNext: ")
    expect(page.get_by_role("dialog")).to_contain_text("File Changed")
    picture(page, "question")
    assert OTHER in [session["path"] for session in api(lab, "sessions")]


def test_the_server_refuses_content_from_before_a_reset(lab: Machine) -> None:
    path = "notebooks/03-scale-out.ipynb"
    new = {"type": "file", "format": "text", "content": "{}"}
    checkpoint = lab.course / "notebooks/.ipynb_checkpoints/03-scale-out-checkpoint.ipynb"
    checkpoint.parent.mkdir(exist_ok=True)
    checkpoint.touch()
    lab.python(f"from workshop.classroom import lab; lab.guard(['{path}'])")
    assert not checkpoint.exists()
    with pytest.raises(HTTPError, match="409"):
        api(lab, f"contents/{path}", new)
    api(lab, f"contents/{path}")
    assert api(lab, f"contents/{path}", new)["path"] == path


def test_without_jupyterlab_nothing_is_open(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert save_and_close_here([FIRST]) == []
    reopen(FIRST)


def test_a_cell_of_a_notebook_that_closes_cannot_reset(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.setenv("JPY_SESSION_NAME", str(machine.ROOT / FIRST))
    with pytest.raises(PagesNotSaved, match="Next: type it in a terminal"):
        save_and_close_here([FIRST, SECOND])
