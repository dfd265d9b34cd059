"""The pages that a browser of this computer opens: JupyterLab, and Flower and RabbitMQ inside it."""

from collections.abc import Iterator
from http.client import HTTPConnection

import pytest
from playwright.sync_api import Browser, Page, expect

from backstage.stack.site import HOST
from tests.chromium import browser as browser
from tests.chromium import expect_map, opened
from tests.compose.project import Project


def answer(project: Project, path: str, name: str = "lab") -> tuple[int, str]:
    """Return the status and the text of a page."""
    connection = HTTPConnection(HOST, project.ports[name], timeout=20)
    connection.request("GET", path)
    found = connection.getresponse()
    return found.status, found.read().decode()


@pytest.fixture(scope="module")
def token(project: Project) -> str:
    return project.python(
        "from workshop import state_folder; print(state_folder.read('token.json')['token'])"
    ).strip()


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/lab", "JupyterLab"),
        ("/flower/", "Flower"),
        ("/rabbitmq/", "RabbitMQ Management"),
    ],
)
def test_a_page_opens_with_the_token_only(path: str, text: str, project: Project, token: str) -> None:
    status, page = answer(project, f"{path}?token={token}")
    assert status == 200
    assert text in page
    status, page = answer(project, path)
    assert status in (302, 403)
    assert text not in page


def test_pages_have_addresses_of_their_own(project: Project) -> None:
    assert answer(project, "/flower/", "flower")[0] == 401
    assert answer(project, "/", "management")[0] == 200


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened(browser, request) as page:
        yield page


@pytest.fixture
def elsewhere(page: Page) -> list[str]:
    """What the page asked of other computers."""
    asked: list[str] = []
    near = (f"http://{HOST}:", f"ws://{HOST}:", "data:", "blob:", "about:")
    page.on("request", lambda request: request.url.startswith(near) or asked.append(request.url))
    return asked


@pytest.mark.solved_course
def test_lab_opens_at_the_first_notebook_with_its_map(
    page: Page, project: Project, token: str, elsewhere: list[str]
) -> None:
    page.goto(project.url(f"/lab/tree/notebooks/00-start-here.ipynb?token={token}&reset"))
    expect(page.get_by_role("heading", name="00 · Start here")).to_be_visible()
    expect_map(page)
    assert elsewhere == []


def test_flower_inside_lab_shows_the_worker(
    page: Page, project: Project, token: str, elsewhere: list[str]
) -> None:
    page.goto(project.url(f"/flower/workers?token={token}"))
    expect(page.get_by_text("worker1@").first).to_be_visible()
    assert elsewhere == []
