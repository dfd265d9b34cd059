"""Each starter works: its notebooks run to the end, and the checks see what is still to do.

Every branch runs its own code with services of its own.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.classroom.course import Course
from tests.integration.machine import Machine
from workshop.challenges import source, starters

pytestmark = pytest.mark.solved_course

NAMES = ("01-enqueue", "02-retry", "03-scale-out", "04-nothing-lost")
EXPECTED = {
    1: ("C1-NOT-ATTEMPTED", "C2-NOT-ATTEMPTED", "C3-NOT-ATTEMPTED", "C4-NOT-ATTEMPTED"),
    2: ("C1-PASSED", "C2-NOT-ATTEMPTED", "C3-NOT-ATTEMPTED", "C4-NOT-ATTEMPTED"),
    3: ("C1-PASSED", "C2-PASSED", "C3-NOT-ATTEMPTED", "C4-NOT-ATTEMPTED"),
}
"""The verdict on each notebook on each branch. There is no branch for challenge 4: it is a starter on all."""


@pytest.fixture(scope="module")
def branches(origin: Course) -> Course:
    origin.workshop("branches")
    return origin


@pytest.fixture
def starter(request: pytest.FixtureRequest, branches: Course, tmp_path: Path) -> Iterator[Machine]:
    """A clone of one branch, with its services running."""
    root = tmp_path / "course"
    branches.git("clone", "--quiet", "--branch", f"challenge-{request.param}", str(branches.root), str(root))
    machine = Machine(tmp_path / "state", root)
    try:
        machine.workshop("up", "--detach", WORKSHOP_HASTE="10")
        yield machine
    finally:
        machine.workshop("down", "--purge")


def run(path: Path, environment: dict[str, str]) -> nbformat.NotebookNode:
    """Run a notebook as Jupyter does; an error in a cell is an error here."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(path.parent)}})
    client.execute(env=environment | {"JPY_SESSION_NAME": str(path)})
    return notebook


def verdict(notebook: nbformat.NotebookNode) -> str:
    cell = next(cell for cell in notebook.cells if cell.id == "check")
    return cell.outputs[-1]["data"]["text/plain"].split()[0]


@pytest.mark.parametrize("starter", [1, 2, 3], indirect=True)
def test_notebooks_run_to_the_end_and_checks_say_what_is_to_do(starter: Machine) -> None:
    notebooks = sorted((starter.course / "notebooks").glob("[0-9]*.ipynb"))
    challenge = int(re.findall(r"\d", (starter.course / "workshop/challenge.json").read_text())[0])
    environment = starter.environment | {"WORKSHOP_SEED": "2018"}
    del environment["WORKSHOP_FAULT_RATE"]
    done = {path.stem: run(path, environment) for path in notebooks}
    assert tuple(verdict(done[name]) for name in NAMES) == EXPECTED[challenge]


@pytest.mark.parametrize("challenge", [1, 2, 3])
def test_no_starter_gives_its_solution_away(challenge: int) -> None:
    marked = source.find().marked()
    files = starters.course(marked, starters.Level(challenge))
    texts = {
        name: file.data.decode()
        for name, file in files.items()
        if name.endswith((".md", ".py", ".ipynb")) and not name.startswith(("workshop/challenges/", "tests/"))
    }
    solutions = [
        line.strip()
        for number in range(challenge, 5)
        for name, file in marked.items()
        if name.startswith(("workshop/", "notebooks/")) and name.endswith((".py", ".ipynb"))
        for text in starters.solutions(name, file.data, number)
        for line in text.splitlines()
        if len(line.strip()) > 15
    ]
    assert len(solutions) >= 3
    given = {(line, name) for line in solutions for name, text in texts.items() if line in text}
    assert {pair for pair in given if pair[0] not in COMMON} == set()
    if challenge <= 2:
        assert [name for name, text in texts.items() if "self.retry(" in text] == []


COMMON = ("x = get_random_x()", "y = get_random_y()", "do_task.delay(x, y)", "for x, y in points:")
"""What notebooks show of the parts of a solution, in other places and for other ends."""


@pytest.mark.parametrize("challenge", [1, 2, 3])
def test_notebooks_of_starters_hold_no_outputs_and_no_marks(challenge: int) -> None:
    files = starters.course(source.find().marked(), starters.Level(challenge))
    for name, file in files.items():
        if name.startswith("notebooks/") and name.endswith(".ipynb"):
            notebook = nbformat.reads(file.data.decode(), as_version=4)
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            assert [cell.outputs for cell in code] == [[]] * len(code)
            assert {cell.execution_count for cell in code} == {None}
            assert notebook.metadata.workshop.challenge == challenge
            assert "SOLUTION" not in file.data.decode()
