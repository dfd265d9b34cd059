"""What an attendee's browser sees of the services, where the course runs in a cloud."""

import pytest

from backstage.stack import cloud
from backstage.stack.site import USUAL_PORTS, Site

FLOWER = "http://127.0.0.1:5555/flower"


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CODESPACES", "CODESPACE_NAME", "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("JUPYTERHUB_SERVICE_PREFIX", "JUPYTERHUB_PUBLIC_URL", "BINDER_LAUNCH_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def codespace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODESPACES", "true")
    monkeypatch.setenv("CODESPACE_NAME", "literate-parakeet-mld5")


@pytest.fixture
def binder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann-course-x1/")
    monkeypatch.setenv("BINDER_LAUNCH_HOST", "https://binder.example/")


def test_at_home_addresses_are_this_machine_and_nothing_ends() -> None:
    assert cloud.address(FLOWER, "flower/") == FLOWER
    assert cloud.limits() == ""


def test_in_a_codespace_all_pages_are_inside_jupyterlab(
    codespace: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = "http://127.0.0.1:8888/lab/tree/notebooks/00-start-here.ipynb?token=t"
    assert cloud.address(FLOWER, "flower/") == "https://literate-parakeet-mld5-8888.app.github.dev/flower/"
    monkeypatch.setenv("GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN", "elsewhere.example")
    assert cloud.address(lab, "lab/tree/notebooks/00-start-here.ipynb") == (
        "https://literate-parakeet-mld5-8888.elsewhere.example/lab/tree/notebooks/00-start-here.ipynb?token=t"
    )


def test_on_binder_all_pages_are_inside_jupyterlab(binder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cloud.address(FLOWER, "flower/") == "/user/ann-course-x1/flower/"
    monkeypatch.setenv("JUPYTERHUB_PUBLIC_URL", "https://hub.example/user/ann-course-x1/")
    assert cloud.address(FLOWER, "flower/") == "https://hub.example/user/ann-course-x1/flower/"


def test_flower_has_the_path_of_its_page(binder: None, tmp_path) -> None:
    site = Site(tmp_path, USUAL_PORTS, "t")
    assert site.flower_url == "http://127.0.0.1:5555/user/ann-course-x1/flower"


def test_the_end_of_a_session_is_told(binder: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "10 minutes" in cloud.limits() and "workshop save" in cloud.limits()
    monkeypatch.delenv("BINDER_LAUNCH_HOST")
    assert "Binder" not in cloud.limits() and "workshop save" in cloud.limits()


def test_the_end_of_a_codespace_is_told(codespace: None) -> None:
    assert "30 minutes" in cloud.limits() and "30 days" in cloud.limits()
    assert "workshop save" in cloud.limits()
