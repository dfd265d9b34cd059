"""The notebooks do what they show: each is run again, and every output must be the stored one."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from tests.integration.machine import CORE, Machine
from tests.integration.own_stack import own_stack

HERE = Path(__file__).parent
FOLDER = HERE.parent.parent / "notebooks"
NOTEBOOKS = [*sorted(FOLDER.glob("[0-9]*.ipynb")), *sorted(FOLDER.glob("instructor/*.ipynb"))]
IGNORE = "nbval-ignore-output"

by_name = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def nbval(path: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    """Run a notebook with the points of the stored outputs and compare strictly."""
    monkeypatch.setenv("WORKSHOP_SEED", "2018")
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--nbval", "--nbval-current-env",
            "--nbval-cell-timeout=600", f"--nbval-sanitize-with={HERE / 'nbval.cfg'}", str(path),
        ],
        capture_output=True,
        text=True,
        timeout=2400,
    )  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """All five services, for the notebooks alone: their runs take longest."""
    with own_stack(tmp_path_factory.mktemp("notebooks"), *CORE, "flower", "lab") as machine:
        yield machine


def code_cells(path: Path) -> list[nbformat.NotebookNode]:
    notebook = nbformat.read(path, as_version=4)
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_all_notebooks_are_found():
    numbered = ["00-start-here", "01-enqueue", "02-retry", "03-scale-out", "04-nothing-lost", "05-go-faster"]
    assert [path.stem for path in NOTEBOOKS] == [*numbered, "wall"]


@by_name
@pytest.mark.solved_course
def test_every_cell_was_executed_without_an_error(path):
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert not [output for cell in cells for output in cell.outputs if output.output_type == "error"]


@by_name
def test_at_most_one_cell_in_five_is_not_compared(path):
    cells = code_cells(path)
    ignored = [cell for cell in cells if IGNORE in cell.metadata.get("tags", [])]
    assert len(ignored) <= len(cells) / 5
    assert not [cell for cell in cells if "NBVAL_" in cell.source], "attendees read cells, not marks"


@by_name
def test_cells_have_names_that_stay(path):
    ids = [cell.id for cell in nbformat.read(path, as_version=4).cells]
    assert len(set(ids)) == len(ids)
    assert all(not id.isalnum() or id.isalpha() for id in ids), "ids are words, not random letters and digits"
    assert len(code_cells(path)) <= 25


@by_name
def test_notebook_stays_small(path):
    assert path.stat().st_size < 2_000_000


def test_a_wrong_number_is_noticed(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell('print("Scotland                1")')
    cell.outputs = [nbformat.v4.new_output("stream", text="Scotland                2\n")]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=metadata), tmp_path / "tampered.ipynb")
    run = nbval(tmp_path / "tampered.ipynb", monkeypatch)
    assert run.returncode == 1 and "1 failed" in run.stdout, run.stdout[-5000:]


@by_name
@pytest.mark.solved_course
def test_outputs_are_the_stored_ones(path, stack, monkeypatch):
    run = nbval(path, monkeypatch)
    assert run.returncode == 0, run.stdout[-5000:]
    assert f"{len(code_cells(path))} passed" in run.stdout
