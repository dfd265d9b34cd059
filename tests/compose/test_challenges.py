"""Challenges in containers, from the starter to the pass, as the owner of the course's folder."""

import json
from collections.abc import Iterator

import pytest

from tests.compose.project import Project

pytestmark = pytest.mark.solved_course

NOTEBOOKS = {1: "01-enqueue", 2: "02-retry", 3: "03-scale-out", 5: "05-go-faster"}


@pytest.fixture(scope="module", autouse=True)
def _main_again(project: Project) -> Iterator[None]:
    yield
    project.exec("lab", "git", "checkout", "--quiet", "--force", "main")


def outputs(project: Project, name: str) -> str:
    """Return what a notebook's cells show."""
    text = (project.root / f"notebooks/{name}.ipynb").read_text(encoding="utf-8")
    return json.dumps([cell.get("outputs") for cell in json.loads(text)["cells"]])


@pytest.mark.parametrize("number", NOTEBOOKS)
def test_a_challenge_is_passed(number: int, project: Project) -> None:
    """Its starter is not passed; its solution is, and all that joined, paused or was scaled is as before."""
    name, passed = NOTEBOOKS[number], f"C{number}-PASSED"
    assert "is ready with the new code" in project.exec("lab", "workshop", "reset", str(number), "--yes")
    project.exec("lab", "jupyter", "execute", "--allow-errors", "--inplace", f"notebooks/{name}.ipynb")
    assert passed not in outputs(project, name)
    project.exec("lab", "workshop", "reset", str(number), "--solved", "--yes")
    project.exec("lab", "jupyter", "execute", "--inplace", f"notebooks/{name}.ipynb")
    assert passed in outputs(project, name)
    assert f"challenge {number} passed" in project.exec("lab", "sh", "-c", "cat $WORKSHOP_STATE/progress.txt")
    assert project.foreign_files() == []


def test_a_rehearsal_is_shared_by_the_workers_container(project: Project) -> None:
    said = project.python(
        "from backstage import join, leave, rehearse, services, stop_rehearsal\n"
        "card = rehearse(machines=2)\n"
        "print(join(card.code), services(), leave())\n"
        "stop_rehearsal()\n"
        "print(services())"
    )
    assert "Joined as machine01. This machine's worker waits for tasks at rabbitmq:5672" in said
    assert "'machine02': 'ready', 'machine03': 'ready'" in said
    assert "machine0" not in said.splitlines()[-1]
    assert project.number("SELECT count(*) FROM pg_database WHERE datname ~ '^c[0-9a-f]{3}$'") == 0
