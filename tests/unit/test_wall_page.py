"""Where the wall's page is for the people who open it."""

from pathlib import Path

import pytest

from backstage.classroom import wall_page
from backstage.classroom.wall_page import WallPage
from backstage.stack.site import Site
from workshop.errors import WorkshopError


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    made = WallPage(find=lambda: None)
    yield made
    made.stop()


def test_on_ones_own_computer_it_has_a_port_of_its_own(page: WallPage) -> None:
    assert page.url == f"http://127.0.0.1:{page.port}/"
    assert f'href="http://127.0.0.1:{page.port}/"' in page._repr_html_()


def test_on_binder_it_is_below_jupyterlab(page: WallPage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert page.url == "/user/ann/wall/"


def test_in_containers_it_is_below_the_port_that_is_published(
    page: WallPage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8889 flower=5556")
    monkeypatch.setattr(wall_page, "running_site", lambda: Site(tmp_path, {"lab": 8888}, "token"))
    assert page.url == "http://127.0.0.1:8889/wall/"


def test_a_port_that_is_taken(page: WallPage) -> None:
    with pytest.raises(
        WorkshopError, match=f"Port {page.port} can't be used: Address already in use. Next: choose"
    ):
        WallPage(page.port)


def test_after_stop_nothing_listens(page: WallPage) -> None:
    page.stop()
    again = WallPage(page.port, find=lambda: None)
    again.stop()
    assert again.port == page.port
