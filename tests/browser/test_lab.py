"""What an attendee sees and does in JupyterLab, in a browser without the internet.

Notebook 01 stands for all: that the others show what is stored in them is `tests.notebooks`' to say.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Frame, Page, expect

from backstage.stack.site import Site
from tests.browser.conftest import Traffic
from tests.chromium import (
    MAP,
    PICTURES,
    expect_map,
    findings,
    frame,
    open_notebook,
    open_tile,
    pixels,
    restart_and_run_all,
)
from tests.conftest import wait_for
from workshop.maps import NATIONS
from workshop.state_folder import ROOT
from workshop.tasks import do_task


@pytest.fixture
def lab(page: Page, site: Site, traffic: Traffic) -> Iterator[str]:
    """The address of JupyterLab: of the course itself, so no save gets there. Nothing is asked in vain."""
    page.route("**/api/contents/**", lambda each: each.request.method == "PUT" or each.continue_())
    yield f"http://127.0.0.1:{site.ports['lab']}"
    assert (traffic.elsewhere, traffic.failed) == ([], [])


def test_the_first_visit(page: Page, site: Site, lab: str, stack: Path) -> None:
    """Notebook 00 with the panel beside it, a list of what matters, no question, a terminal for commands."""
    page.goto(site.lab_url)
    expect(page.get_by_role("heading", name="00 · Start here")).to_be_visible(timeout=240_000)
    beside = frame(page, ".jp-ServerProxy iframe")
    expect(beside.locator("#title")).to_be_visible(timeout=240_000)
    assert findings(beside) == []
    for question in (".jp-Dialog", ".Toastify__toast", ":text('Make this Notebook Trusted')"):
        expect(page.locator(question)).to_have_count(0)

    page.locator(".jp-BreadCrumbs-home").click()
    names = page.locator(".jp-DirListing-itemName")
    expect(names.filter(has_text="README.md")).to_be_visible()
    assert {"notebooks", "workshop"} <= set(names.all_inner_texts())
    assert not {"backstage", "tests", "docker", "pyproject.toml"} & set(names.all_inner_texts())

    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("New", exact=True).hover()
    with page.expect_websocket(lambda each: "/terminals/" in each.url) as terminal:
        page.get_by_role("menuitem", name="Terminal", exact=True).click()
    terminal.value.wait_for_event("framereceived")
    page.locator(".xterm-helper-textarea").focus()
    said = stack / "said.txt"
    page.keyboard.type(f"pwd > '{said}' && workshop hint --help >> '{said}'\n")
    wait_for(lambda: said.exists() and "hint" in said.read_text(), what="what the terminal said")
    assert said.read_text().startswith(f"{ROOT}\n")
    said.unlink()

    page.goto(f"{lab}/lab/tree/backstage/stack/environment.toml?token={site.token}")
    expect(page.get_by_text("where programs are")).to_be_visible()  # it is not in the list, but it opens


@pytest.mark.solved_course
def test_a_notebook_by_its_buttons(page: Page, site: Site, lab: str) -> None:
    """Its maps show without a run and after one, with each nation's colour, and bar nobody.

    `make pictures` takes the README's picture from here.
    """
    page.set_viewport_size({"width": 1250, "height": 860})
    open_notebook(page, lab, site.token, "notebooks/01-enqueue.ipynb")
    expect_map(page)
    expect(page.get_by_text("Make this Notebook Trusted")).to_have_count(0)
    restart_and_run_all(page, 180)
    drawn = frame(page, MAP)
    page.locator(MAP).last.scroll_into_view_if_needed()
    page.screenshot(path=PICTURES / "workshop.png")

    legend = drawn.locator(".legend")
    rows = [row.split("\t") for row in legend.locator("tr").all_inner_texts()]
    counted = {name.strip() for *_, name, count in rows if count.strip() != "0"}
    legend.evaluate("legend => legend.style.visibility = 'hidden'")
    nations = dict(list(NATIONS.values())[:5])
    picture = page.locator(MAP).last.screenshot()
    places = {name: pixels(picture, colour) for name, colour in nations.items()}
    legend.evaluate("legend => legend.style.visibility = 'visible'")
    assert {name for name, seen in places.items() if seen} == counted & nations.keys()

    def pointed_at() -> int:
        """Move the mouse to a square in Scotland, wherever the notebook has scrolled to."""
        corner = page.locator(MAP).last.bounding_box()
        assert corner
        x, y = _inmost(places["Scotland"])
        for aside in (0.3, 0.5):
            page.mouse.move(corner["x"] + x + aside, corner["y"] + y + aside)
        return drawn.locator(".leaflet-tooltip").count()

    wait_for(pointed_at, what="a tooltip")
    expect(drawn.locator(".leaflet-tooltip")).to_have_text(re.compile(r"^[A-Z]{2}\d{4}, Scotland, \d+ task"))
    assert findings(drawn) == []
    assert findings(page, within=".jp-RenderedHTMLCommon") == []


def _inmost(places: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the pixel with most of its kind around it, which lies inside a square, not on its edge."""
    there = set(places)
    around = [(right, down) for right in range(-2, 3) for down in range(-2, 3)]
    return max(places, key=lambda at: sum((at[0] + x, at[1] + y) in there for x, y in around))


def test_the_keyboard_alone(page: Page, site: Site, lab: str) -> None:
    """Open a notebook, run a cell, reach a map and move it, all without a mouse."""
    open_notebook(page, lab, site.token, "notebooks/01-enqueue.ipynb")
    page.get_by_text("| Idle").wait_for()
    page.keyboard.press("Control+Shift+c")
    page.keyboard.type("Open from Path")
    expect(page.locator(".lm-CommandPalette-item.lm-mod-active")).to_contain_text("Open from Path")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("textbox")).to_be_focused()
    page.keyboard.type("notebooks/00-start-here.ipynb\n")
    expect(page.get_by_role("heading", name="00 · Start here")).to_be_visible()
    page.get_by_text("| Idle").wait_for()
    page.keyboard.press("b")  # a cell below
    page.keyboard.press("Enter")
    page.keyboard.type("print(6 * 7, 'by keys')")
    page.keyboard.press("Shift+Enter")
    expect(page.get_by_text("42 by keys", exact=True)).to_be_visible()

    def on_a_map() -> bool:
        page.keyboard.press("Tab")
        return page.evaluate("document.activeElement.tagName") == "IFRAME"

    wait_for(on_a_map, 60, "a map that Tab leads to")
    moved = frame(page, f".jp-NotebookPanel:not(.lm-mod-hidden) {MAP}")
    pane = moved.locator(".leaflet-map-pane")
    before = pane.get_attribute("style") or ""
    page.keyboard.press("ArrowRight")
    expect(pane).not_to_have_attribute("style", before)


def until_shown(page: Page | Frame, address: str, text: str) -> None:
    """Load one of Flower's pages until it says something: it learns of tasks and workers bit by bit."""

    def shown() -> bool:
        page.goto(address)
        page.wait_for_load_state("networkidle")
        return page.get_by_text(text).count() > 0

    wait_for(shown, 60, f"{text!r} at {address}")


def test_flower_and_rabbitmq_are_tabs(page: Page, site: Site, lab: str) -> None:
    """Flower's tile needs no login: tasks, workers, the queue; its own address does, and so does RabbitMQ."""
    done, failed = do_task.delay(325_200, 673_500).id, do_task.delay(-1, 5).id
    open_notebook(page, lab, site.token, "notebooks/00-start-here.ipynb")
    flower = open_tile(page, "Flower")
    until_shown(flower, f"{lab}/flower/task/{done}", "SUCCESS")
    until_shown(flower, f"{lab}/flower/task/{failed}", "x must be a number of metres")
    flower.goto(f"{lab}/flower/workers")
    worker = flower.get_by_role("link", name="worker1@").first.get_attribute("href")
    until_shown(flower, f"{lab}{worker}", "Pool controls")
    flower.goto(f"{lab}/flower/broker")
    expect(flower.get_by_role("cell", name="squares")).to_be_visible()

    pages = open_tile(page, "RabbitMQ")
    pages.locator("[name=username]").fill("celery_user")
    pages.locator("[name=password]").fill("secret")
    pages.locator("input[type=submit]").click()
    expect(pages.get_by_role("heading", name="Overview")).to_be_visible()
    pages.get_by_role("link", name="Queues", exact=True).click()
    expect(pages.get_by_role("link", name="squares", exact=True)).to_be_visible()
    until_shown(page, f"http://127.0.0.1:{site.ports['flower']}/flower/tasks", done)
