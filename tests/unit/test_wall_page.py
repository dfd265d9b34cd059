"""Where the wall's page is for those who open it, and that it survives a mistake in the course's files."""

import json
import re
from pathlib import Path
from urllib.request import urlopen

import pytest

from backstage.classroom.wall_page import WallPage
from tests.conftest import wait_for
from tests.integration.machine import Machine, copy_course
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


@pytest.mark.posix
@pytest.mark.parametrize(
    ("name", "mistake", "said"),
    [
        ("settings.py", "1 / 0", "settings.py, line LAST: ZeroDivisionError: division by zero"),
        ("grid.py", 'WIDTH = "wide"', r"\w+.py, line \d+: TypeError: unsupported operand type.*"),
    ],
)
def test_a_mistake_in_a_file_is_said_until_it_is_mended(
    name: str, mistake: str, said: str, tmp_path: Path
) -> None:
    """Whoever edits the program stops no wall, neither one that starts nor one that runs."""
    machine = Machine(tmp_path / "state", copy_course(tmp_path / "course"))
    file = machine.course / "workshop" / name
    right = file.read_text()
    file.write_text(f"{right}\n{mistake}\n")
    wall = machine.popen("class", "wall")
    try:
        assert wall.stdout
        address = wall.stdout.readline().split()[1]
        said = said.replace("LAST", str(len(right.splitlines()) + 2))
        assert re.fullmatch(rf"workshop/{said}\. This page goes on by itself\.", trouble(address))
        file.write_text(right)
        wait_for(lambda: "Next: workshop up" in trouble(address), what="a wall that works")
        assert frame(address)["land"].startswith("data:image/png;base64,")
    finally:
        wall.terminate()
        shown, _ = wall.communicate(timeout=120)
    assert "Traceback" not in shown
    assert shown.count("Wall   http://127.0.0.1:") == 1, "and the line before: once more at the same address"


def trouble(address: str) -> str:
    """Return what the page says, at whose address the program may start anew."""
    try:
        return frame(address)["trouble"]
    except OSError:
        return ""


def frame(address: str) -> dict[str, str]:
    with urlopen(f"{address}wall.json", timeout=60) as answer:
        return json.load(answer)


def test_a_command_that_needs_a_file_with_a_mistake_says_where_it_is(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "state", copy_course(tmp_path / "course"))
    with (machine.course / "workshop" / "settings.py").open("a") as file:
        file.write("def\n")
    shown = machine.workshop("doctor", code=3)
    assert shown.startswith("Error: workshop/settings.py, line ")
    assert "SyntaxError: invalid syntax. Next: mend" in shown
