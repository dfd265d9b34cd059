"""How marked files become starters."""

from io import StringIO
from typing import Any

import nbformat
import pytest

from backstage.challenges.starters import Level, course, notebook_starter, solutions, solved_before
from workshop.errors import WorkshopError

MARKED = """\
def add(a, b):
    ### BEGIN SOLUTION 1: add them
    total = a + b

    return total
    ### END SOLUTION


### BEGIN SOLUTION 2
print(add(1, 2))
### END SOLUTION
last = True
"""
ANSWER = "<!-- BEGIN SOLUTION 1 -->\nIt is 3.\n<!-- END SOLUTION -->"


@pytest.mark.parametrize(
    ("first_open", "expected"),
    [
        (1, "def add(a, b):\n    # TODO - challenge 1: add them\n\n\nlast = True\n"),
        (2, "def add(a, b):\n    total = a + b\n\n    return total\n\n\nlast = True\n"),
        (3, "def add(a, b):\n    total = a + b\n\n    return total\n\n\nprint(add(1, 2))\nlast = True\n"),
    ],
)
def test_challenges_below_the_level_are_solved(first_open: int, expected: str) -> None:
    assert solved_before(first_open, MARKED) == expected


def test_what_has_no_marks_stays_as_it_is() -> None:
    for text in ("", "x = 1", "x = 1\r\n\r\n", "### BEGINNING\n"):
        assert solved_before(1, text) == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n### BEGIN SOLUTION 1: x\nb\n", "demo.py, line 2: .*: ### BEGIN SOLUTION 1: x"),
        ("a\nb\n### END SOLUTION\n", "demo.py, line 3: .*: ### END SOLUTION"),
        ("### BEGIN SOLUTION 1\na\n### BEGIN SOLUTION 2\n### END SOLUTION\n", "demo.py, line 3: "),
        ("### BEGIN SOLUTION: x\n### END SOLUTION", "demo.py, line 1: this mark of a solution is wrong"),
    ],
)
def test_malformed_marks_are_named_with_file_and_line(text: str, said: str) -> None:
    with pytest.raises(WorkshopError, match=said):
        solved_before(1, text, "demo.py")


def notebook() -> nbformat.NotebookNode:
    v4 = nbformat.v4
    cells = [
        v4.new_markdown_cell(f"Think.\n\n{ANSWER}", id="text"),
        v4.new_markdown_cell(ANSWER.replace("1", "2"), id="only"),
        v4.new_code_cell(
            "### BEGIN SOLUTION 1: count\n1 + 2\n### END SOLUTION",
            id="code",
            execution_count=3,
            outputs=[v4.new_output("stream", text="3")],
        ),
    ]
    return v4.new_notebook(cells=cells)


def sources(made: dict[str, Any]) -> list[str]:
    return ["".join(cell["source"]) for cell in made["cells"]]


def test_a_notebook_loses_answers_and_outputs() -> None:
    made = notebook_starter(notebook(), Level(1), "01.ipynb")
    assert sources(made) == ["Think.", "# TODO - challenge 1: count"]
    assert (made["cells"][1]["outputs"], made["cells"][1]["execution_count"]) == ([], None)
    assert made["metadata"]["workshop"] == {"challenge": 1}


def test_a_solved_notebook_keeps_answers_without_marks() -> None:
    made = notebook_starter(notebook(), Level(2, solved=True), "01.ipynb")
    assert sources(made) == ["Think.\n\nIt is 3.", "It is 3.", "1 + 2"]


def test_an_error_in_a_notebook_names_the_cell() -> None:
    wrong = notebook()
    wrong.cells[2].source += "\n### END SOLUTION"
    with pytest.raises(WorkshopError, match=r"01.ipynb, cell code, line 4: this mark"):
        notebook_starter(wrong, Level(1), "01.ipynb")


def test_a_level_of_the_course() -> None:
    marked = {
        "workshop/demo.py": MARKED.encode(),
        "notebooks/deep/01.ipynb": nbformat.writes(notebook()).encode(),
        "workshop/deep/demo.py": MARKED.encode(),
        "README.md": b"\xff",
    }
    made = course(marked, Level(2))
    assert made["workshop/challenge.json"] == b'{\n "challenge": 2,\n "fault_rate": 0.1\n}\n'
    assert made["workshop/demo.py"] == solved_before(2, MARKED).encode()
    assert made["README.md"] == marked["README.md"]
    assert made["workshop/deep/demo.py"] == marked["workshop/deep/demo.py"]
    assert course(marked, Level(1, solved=True))["workshop/challenge.json"] == (
        b'{\n "challenge": 1,\n "solved": true\n}\n'
    )
    assert made.keys() == marked.keys() | {"workshop/challenge.json"}


def test_a_notebook_is_written_as_nbformat_writes_it() -> None:
    data = nbformat.writes(notebook()).encode()
    made = course({"notebooks/01.ipynb": data}, Level(3))["notebooks/01.ipynb"]
    again = StringIO()
    nbformat.write(nbformat.reads(made.decode(), 4), again)
    assert again.getvalue().encode() == made


def test_the_solutions_of_a_challenge() -> None:
    assert solutions("workshop/demo.py", MARKED.encode(), 1) == ["total = a + b\n\nreturn total"]
    data = nbformat.writes(notebook()).encode()
    assert solutions("01.ipynb", data, 1) == ["1 + 2"]
    assert solutions("01.ipynb", data, 2) == []
