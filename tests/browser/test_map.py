"""A saved map in a browser that reaches nothing: squares, tooltips, the replay, by keyboard alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import browser as browser
from tests.chromium import opened
from tests.unit.test_maps import EDINBURGH, LONDON, SCOTLAND_TWICE, made_up, many
from workshop import grid, maps

PIXEL = (
    "([x, y]) => [...document.querySelector('canvas').getContext('2d').getImageData(x, 1299 - y, 1, 1).data]"
)
EVERY_TEXT = """() => {
  const output = document.querySelector("output");
  window.said = [];
  new MutationObserver(() => said.push(output.textContent)).observe(output, {childList: true});
}"""
"""Keeps what the replay says, however quickly it goes by."""
SCOTLAND, ENGLAND = [0, 114, 178, 255], [213, 94, 0, 255]


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened(browser, request, viewport={"width": 1000, "height": 560}) as page:
        yield page


def show(page: Page, shown: maps.GridMap, folder: Path) -> list[str]:
    """Open a map from a file; return what it asks for and what goes wrong, as far as it comes to that."""
    trouble: list[str] = []
    page.on("request", lambda request: trouble.append(request.url))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    shown.save(folder / "map.html")
    page.goto((folder / "map.html").as_uri())
    page.locator("canvas").wait_for()
    return trouble[1:]


def place(page: Page, x: int, y: int) -> tuple[float, float]:
    """Return where on the page a square is."""
    box = page.locator("canvas").bounding_box()
    assert box
    return box["x"] + box["width"] * (x + 0.5) / 700, box["y"] + box["height"] * (1300 - y - 0.5) / 1300


def test_squares_are_where_they_belong_and_say_what_they_are(page, tmp_path):
    assert show(page, maps.squares_map(made_up(SCOTLAND_TWICE)), tmp_path) == []
    assert page.evaluate(PIXEL, EDINBURGH) == SCOTLAND
    assert page.evaluate(PIXEL, (EDINBURGH[0] + 8, EDINBURGH[1])) == SCOTLAND, "few squares are drawn larger"
    page.mouse.move(*place(page, *EDINBURGH))
    reference = grid.reference(*(1000 * part for part in EDINBURGH))
    expect(page.locator(".leaflet-tooltip")).to_have_text(f"{reference}, Scotland, 2 tasks")
    page.mouse.move(*place(page, 10, 10))
    expect(page.locator(".leaflet-tooltip")).to_have_count(0)


def test_many_squares_have_their_own_size(page, tmp_path):
    show(page, maps.squares_map(many(60_000)), tmp_path)
    assert page.evaluate(PIXEL, (699, 84)) != [0, 0, 0, 0]
    assert page.evaluate(PIXEL, (699, 86)) == [0, 0, 0, 0]


def test_the_replay_and_the_map_obey_the_keyboard(page, tmp_path):
    show(page, maps.squares_map(made_up(SCOTLAND_TWICE)), tmp_path)
    page.locator("canvas").focus()
    slider = page.get_by_role("slider", name="How it was painted")
    for _ in range(10):
        page.keyboard.press("Tab")
        if slider.evaluate("slider => slider === document.activeElement"):
            break
    page.keyboard.press("Home")
    expect(page.locator("output")).to_have_text("0 squares after 0.0 s")
    assert page.evaluate(PIXEL, LONDON)[3] == 0
    page.keyboard.press("End")
    expect(page.locator("output")).to_have_text("3 squares after 3.0 s")
    assert page.evaluate(PIXEL, LONDON) == ENGLAND
    page.evaluate(EVERY_TEXT)
    page.get_by_role("button", name="Replay").press("Enter")
    page.wait_for_function("said.includes('3 squares after 3.0 s')")
    counts = [int(text.split()[0]) for text in page.evaluate("said")]
    assert counts == sorted(counts) and set(counts) == {1, 2, 3}
    expect(page.locator("output")).to_have_text("3 squares after 3.0 s")
