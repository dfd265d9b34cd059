"""Where the projector's page is for the people who open it."""

from pathlib import Path

import pytest

from backstage.classroom import projector
from backstage.classroom.projector import Projector
from backstage.stack.site import Site
from workshop.errors import WorkshopError


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    made = Projector(find=lambda: None)
    yield made
    made.stop()


def test_on_ones_own_computer_it_has_a_port_of_its_own(page: Projector) -> None:
    assert page.url == f"http://127.0.0.1:{page.port}/"
    assert f'href="http://127.0.0.1:{page.port}/"' in page._repr_html_()


def test_on_binder_it_is_below_jupyterlab(page: Projector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    assert page.url == "/user/ann/projector/"


def test_in_containers_it_is_below_the_port_that_is_published(
    page: Projector, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8889 flower=5556")
    monkeypatch.setattr(projector, "running_site", lambda: Site(tmp_path, {"lab": 8888}, "token"))
    assert page.url == "http://127.0.0.1:8889/projector/"


def test_a_port_that_is_taken(page: Projector) -> None:
    with pytest.raises(
        WorkshopError, match=f"Port {page.port} can't be used: Address already in use. Next: choose"
    ):
        Projector(page.port)


def test_after_stop_nothing_listens(page: Projector) -> None:
    page.stop()
    again = Projector(page.port, find=lambda: None)
    again.stop()
    assert again.port == page.port
