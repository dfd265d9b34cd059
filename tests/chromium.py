"""A real browser that can reach nothing but this machine."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Start Chromium; while it runs, Playwright's event loop does, and other tests want one of their own."""
    path = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    assert path, (
        "These tests need Chromium. Debian: apt-get install chromium; "
        "or run: sh scripts/setup.sh chromium libatomic1"
    )
    expect.set_options(timeout=30_000)
    flags = FLAGS + (["--no-sandbox"] if os.geteuid() == 0 else [])
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, request: pytest.FixtureRequest, **options: Any) -> Iterator[Page]:
    """Open an empty page for one test; a picture of its end stays in the course's own state folder."""
    page = browser.new_page(**{"viewport": {"width": 1400, "height": 1000}} | options)
    page.set_default_timeout(60_000)
    yield page
    pictures = ROOT / ".workshop" / "screenshots"
    pictures.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=pictures / f"{request.node.name}.png")
    page.close()


def expect_map(page: Page) -> None:
    """Scroll through a notebook to its first map, and require that it shows something."""
    page.locator(".jp-Notebook").click(position={"x": 5, "y": 5})
    frame = page.locator(".jp-OutputArea-output iframe")
    for _ in range(60):
        if frame.count():
            break
        page.mouse.wheel(0, 600)
        page.wait_for_timeout(100)
    frame.first.scroll_into_view_if_needed()
    shapes = page.frame_locator(".jp-OutputArea-output iframe").first.locator("path")
    expect(shapes.first).to_be_attached()
