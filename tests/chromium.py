"""A real browser that can reach nothing but this machine, and what tests do with JupyterLab in it."""

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Frame, Page, expect, sync_playwright

from tests.waiting import PATIENCE
from workshop.state_folder import ROOT

FLAGS = [
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
MAP = ".jp-OutputArea-output iframe"
"""The frame of a map in a notebook."""

_THEME = "light => [undefined, light].includes(document.body.dataset.jpThemeLight)"
"""Becomes true when JupyterLab has followed the computer to light or dark."""

PICTURES = ROOT / ".workshop" / "screenshots"
"""Where pictures of each test's end are, for people."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; while it runs, Playwright's event loop does, and other tests want one of their own."""
    path = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    assert path, (
        "These tests need Chromium. Debian: apt-get install chromium; "
        "or run: sh scripts/setup.sh chromium libatomic1"
    )
    expect.set_options(timeout=120_000)
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """Open an empty page that has patience with a busy machine."""
    page = browser.new_page(**options)
    page.set_default_timeout(240_000)
    return page


@contextmanager
def opened(browser: Browser, request: pytest.FixtureRequest, **options: Any) -> Iterator[Page]:
    """Open an empty page for one test; a picture of its end stays in the course's own state folder."""
    page = new_page(browser, **{"viewport": {"width": 1400, "height": 1000}} | options)
    PICTURES.mkdir(parents=True, exist_ok=True)
    yield page
    page.screenshot(path=PICTURES / f"{request.node.name}.png")
    page.close()


def open_notebook(page: Page, lab: str, token: str, path: str) -> None:
    """Open a notebook in an empty JupyterLab; the layout that an attendee would find is left alone."""
    page.goto(f"{lab}/lab/workspaces/test/tree/{path}?token={token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell")


def restart_and_run_all(page: Page, seconds: float = 60) -> None:
    """Run an open notebook by its button, and require that it comes to its end without an error."""
    page.get_by_text("| Idle").wait_for()
    page.get_by_role("button", name="Restart the kernel and run all cells").click()
    page.get_by_role("dialog").get_by_role("button", name="Confirm Kernel Restart").click()
    indicator = page.locator(".jp-Notebook-ExecutionIndicator")
    expect(indicator.and_(page.locator("[data-status=busy]"))).to_be_attached()
    expect(indicator.and_(page.locator("[data-status=idle]"))).to_be_attached(
        timeout=seconds * 1000 * PATIENCE
    )
    for kind in ("application/vnd.jupyter.stderr", "application/vnd.jupyter.error"):
        expect(page.locator(f".jp-OutputArea-output[data-mime-type='{kind}']")).to_have_count(0)


def open_tile(page: Page, name: str) -> Frame:
    """Open one of the launcher's tiles as a tab of JupyterLab, and return the page in it."""
    page.get_by_role("button", name="New Launcher").first.click()
    page.locator(".jp-LauncherCard:visible", has_text=name).click()
    return frame(page, ".jp-ServerProxy iframe")


def frame(page: Page, selector: str) -> Frame:
    """Return the page inside the last frame of those that a selector finds, once it is there."""
    found = page.locator(selector).last.element_handle().content_frame()
    assert found
    return found


def expect_map(page: Page) -> None:
    """Scroll through a notebook to its first map, and require that it shows something."""
    page.locator(".jp-Notebook").click(position={"x": 5, "y": 5})
    frame = page.locator(MAP)
    for _ in range(240):
        if frame.count():
            break
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(100)
    frame.first.scroll_into_view_if_needed()
    expect(page.frame_locator(MAP).first.locator("path").first).to_be_attached()


def pixels(picture: bytes, colour: str) -> list[tuple[int, int]]:
    """Return where a PNG has a colour, such as ``#D55E00``, as x and y from its corner."""
    shown = np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=int)
    alike = abs(shown - list(bytes.fromhex(colour[1:]))).max(axis=2) <= 4
    return [(int(x), int(y)) for y, x in np.argwhere(alike)]


def findings(page: Page | Frame, within: str | None = None) -> list[str]:
    """Return what axe-core calls serious or critical in a page or a frame, light and dark, a line for each.

    Parameters
    ----------
    page : Page or Frame
        What to look at.
    within : str, optional
        A CSS selector: only these parts.
    """
    whole = page if isinstance(page, Page) else page.page
    found = []
    for scheme in ("dark", "light"):
        whole.emulate_media(color_scheme=scheme)
        whole.wait_for_function(_THEME, arg=str(scheme == "light").lower())
        for each in Axe().run(page, within).response["violations"]:
            if each["impact"] in ("serious", "critical"):
                places = ", ".join(str(node["target"]) for node in each["nodes"])
                found.append(f"{scheme}: {each['id']}: {each['help']}: {places}")
    return found
