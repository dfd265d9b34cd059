"""Where the wall's page is for the people who open it."""

import pytest

from backstage.classroom.wall_page import WallPage
from workshop.errors import WorkshopError


@pytest.fixture
def page() -> WallPage:
    return WallPage()


def test_on_ones_own_computer_it_has_a_port_of_its_own(page: WallPage) -> None:
    assert page.url == f"http://127.0.0.1:{page.port}/"


def test_on_binder_it_is_below_jupyterlab(page: WallPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert page.url == "/user/ann/wall/"


def test_in_containers_it_is_below_the_port_that_is_published(
    page: WallPage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8889 flower=5556")
    assert page.url == "http://127.0.0.1:8889/wall/"


def test_a_port_that_is_taken(page: WallPage) -> None:
    with pytest.raises(
        WorkshopError, match=f"Port {page.port} can't be used: Address already in use. Next: choose"
    ):
        WallPage(page.port)
