"""Pages of a real browser, and what they ask for."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page

from backstage.stack.site import Site
from backstage.stack.status import running_site
from tests.chromium import browser as browser
from tests.chromium import opened


@dataclass
class Traffic:
    """What a page asked for: addresses elsewhere, and requests that failed."""

    elsewhere: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("request", lambda request: self._note(request.url))
        page.on("requestfailed", lambda request: self._fail(request.url, request.failure))
        page.on("response", lambda answer: answer.status >= 400 and self._fail(answer.url, answer.status))

    def _note(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "data:", "blob:", "about:")):
            self.elsewhere.append(url)

    def _fail(self, url: str, reason: object) -> None:
        if reason != "net::ERR_ABORTED":  # the page itself gave up, as when it is closed or goes on
            self.failed.append(f"{url}: {reason}")


@pytest.fixture
def site(stack) -> Site:
    site = running_site()
    assert site is not None
    return site


@pytest.fixture
def traffic() -> Traffic:
    return Traffic()


@pytest.fixture
def page(browser: Browser, site: Site, traffic: Traffic, request: pytest.FixtureRequest) -> Iterator[Page]:
    login = {"username": "flower", "password": site.token}
    with opened(browser, request, http_credentials=login) as page:
        traffic.watch(page)
        yield page
