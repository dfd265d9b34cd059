"""What a person can mend is one kind of error, in the command and in notebooks."""

import pickle

import pytest
from IPython.core.interactiveshell import InteractiveShell

from workshop.errors import WorkshopError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (WorkshopError("It is closed."), "It is closed."),
        (WorkshopError("It is closed.", "open it"), "It is closed. Next: open it"),
        (WorkshopError("It is closed:\nthe lid.\n", "open it"), "It is closed:\nthe lid.\nNext: open it"),
    ],
)
def test_it_says_what_is_wrong_and_what_to_do(error: WorkshopError, said: str) -> None:
    assert str(error) == str(pickle.loads(pickle.dumps(error))) == said


def test_a_notebook_shows_the_sentence_and_no_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    InteractiveShell().run_cell(
        "from workshop.errors import WorkshopError\nraise WorkshopError('It is closed.', 'open it')"
    )
    assert capsys.readouterr().out.strip() == "It is closed. Next: open it"
