"""Each starter works: its notebooks run to the end, and the checks see what is still to do.

A notebook or file has two texts, solved and to do, and each branch holds one of them. So each text is run
once: the solved ones on main, by ``tests/notebooks``, those to do on challenge-1, here. A branch runs its own
code with services of its own.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from backstage.challenges import source, starters
from backstage.challenges.files import Files, read_folder
from tests.classroom.course import Course
from tests.integration.machine import CORE, Machine

pytestmark = pytest.mark.solved_course

NAMES = ("01-enqueue", "02-retry", "03-scale-out", "04-nothing-lost")
EXPECTED = {
    1: ("C1-NOT-ATTEMPTED", "C2-NOT-ATTEMPTED", "C3-NOT-ATTEMPTED", "C4-NOT-ATTEMPTED"),
    2: ("C1-PASSED", "C2-NOT-ATTEMPTED", "C3-NOT-ATTEMPTED", "C4-NOT-ATTEMPTED"),
    3: ("C1-PASSED", "C2-PASSED", "C3-NOT-ATTEMPTED", "C4-NOT-ATTEMPTED"),
}
"""The verdict on each notebook on each branch. Challenges 4 and 5 have none: they are starters on all.

Notebook 05 measures for two minutes, so it runs once, with its stored outputs.
"""

CHALLENGE_OF = {
    "workshop/demo.py": 1,
    "workshop/tasks.py": 2,
    "notebooks/00-start-here.ipynb": 3,
    "notebooks/01-enqueue.ipynb": 1,
    "notebooks/03-scale-out.ipynb": 3,
    "notebooks/04-nothing-lost.ipynb": 4,
    "notebooks/05-go-faster.ipynb": 5,
}
"""Which challenge is in a file. All others have one text, on all branches."""

MARK = re.compile(r"^[ \t]*(###|<!--) (BEGIN|END) SOLUTION.*\n?", re.MULTILINE)


@pytest.fixture(scope="module")
def branches(origin: Course) -> Course:
    origin.workshop("class", "branches")
    return origin


def clone(branches: Course, challenge: int, root: Path) -> Path:
    branches.git("clone", "--quiet", "--branch", f"challenge-{challenge}", str(branches.root), str(root))
    return root


@pytest.fixture
def starter(request: pytest.FixtureRequest, branches: Course, tmp_path: Path) -> Iterator[Machine]:
    """A clone of one branch, with the services that its notebooks use."""
    machine = Machine(tmp_path / "state", clone(branches, request.param, tmp_path / "course"))
    try:
        machine.workshop("up", "--detach", *CORE, WORKSHOP_HASTE="10")
        yield machine
    finally:
        machine.workshop("down", "--purge")


def run(path: Path, environment: dict[str, str]) -> nbformat.NotebookNode:
    """Run a notebook as Jupyter does; an error in a cell is an error here."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(path.parent)}})
    client.execute(env=environment | {"JPY_SESSION_NAME": str(path), "PYTHONPATH": str(path.parent.parent)})
    return notebook


def verdict(notebook: nbformat.NotebookNode) -> str:
    cell = next(cell for cell in notebook.cells if cell.id == "check")
    return cell.outputs[-1]["data"]["text/plain"].split()[0]


@pytest.mark.parametrize(
    "starter",
    [1, pytest.param(2, marks=pytest.mark.nightly), pytest.param(3, marks=pytest.mark.nightly)],
    indirect=True,
)
def test_notebooks_run_to_the_end_and_checks_say_what_is_to_do(starter: Machine) -> None:
    challenge = json.loads((starter.course / "workshop/challenge.json").read_text())["challenge"]
    environment = starter.environment | {"WORKSHOP_SEED": "2018"}
    del environment["WORKSHOP_FAULT_RATE"]
    done = {name: run(starter.course / f"notebooks/{name}.ipynb", environment) for name in NAMES}
    assert tuple(verdict(done[name]) for name in NAMES) == EXPECTED[challenge]


def text_of(name: str, data: bytes) -> Any:
    """Return what counts of a file: of a notebook its cells, without outputs and the number of its branch."""
    if not (name.startswith("notebooks/") and name.endswith(".ipynb")):
        return data
    cells = json.loads(data)["cells"]
    return [(cell["id"], cell["cell_type"], "".join(cell["source"])) for cell in cells]


def solved_and_to_do(marked: Files) -> tuple[Files, Files]:
    return starters.course(marked, starters.Level(5, solved=True)), starters.course(marked, starters.Level(1))


@pytest.mark.parametrize("challenge", [1, 2, 3])
def test_a_branch_holds_the_solved_text_or_the_one_to_do(
    challenge: int, branches: Course, tmp_path: Path
) -> None:
    solved, to_do = solved_and_to_do(read_folder(branches.root))
    held = read_folder(clone(branches, challenge, tmp_path / "course"))
    assert held.keys() == solved.keys()
    for name in held.keys() - {"workshop/challenge.json"}:
        expected = solved if CHALLENGE_OF.get(name, 0) < challenge else to_do
        assert text_of(name, held[name]) == text_of(name, expected[name]), name


def test_the_solved_text_is_what_runs_on_main() -> None:
    marked = source.marked()
    solved, to_do = solved_and_to_do(marked)
    both = [name for name in marked if text_of(name, to_do[name]) != text_of(name, solved[name])]
    assert {*both} == {*CHALLENGE_OF}
    for name in both:
        assert without_marks(name, marked[name]) == without_marks(name, solved[name]), name


def without_marks(name: str, data: bytes) -> Any:
    """Return a text without the lines that are marks of a solution."""
    text = text_of(name, data)
    if isinstance(text, bytes):
        return MARK.sub("", text.decode())
    return [(id, kind, MARK.sub("", cell).rstrip("\n")) for id, kind, cell in text]


@pytest.mark.parametrize("challenge", [1, 2, 3])
def test_no_starter_gives_its_solution_away(challenge: int) -> None:
    marked = source.marked()
    files = starters.course(marked, starters.Level(challenge))
    texts = {
        name: data.decode()
        for name, data in files.items()
        if name.endswith((".md", ".py", ".ipynb"))
        and not name.startswith(("backstage/challenges/", "benchmarks/", "tests/"))
    }
    solutions = [
        line.strip()
        for number in range(challenge, 6)
        for name, data in marked.items()
        if name.startswith(("workshop/", "notebooks/")) and name.endswith((".py", ".ipynb"))
        for text in starters.solutions(name, data, number)
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
    files = starters.course(source.marked(), starters.Level(challenge))
    for name, data in files.items():
        if name.startswith("notebooks/") and name.endswith(".ipynb"):
            notebook = nbformat.reads(data.decode(), as_version=4)
            code = [cell for cell in notebook.cells if cell.cell_type == "code"]
            assert [cell.outputs for cell in code] == [[]] * len(code)
            assert {cell.execution_count for cell in code} == {None}
            assert notebook.metadata.workshop.challenge == challenge
            assert "SOLUTION" not in data.decode()
