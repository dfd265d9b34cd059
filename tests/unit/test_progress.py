"""Progress and hints are kept in a plain text file; a reset begins the hints anew and forgets no pass."""

import pytest

from backstage.challenges import challenge_1, challenge_2, challenge_3, challenge_4, challenge_5, progress
from backstage.challenges.verdict import texts

CHALLENGES = [challenge_1, challenge_2, challenge_3, challenge_4, challenge_5]

pytestmark = pytest.mark.usefixtures("state")


def test_nothing_is_passed_at_first():
    assert progress.show().count("○ not passed yet") == 5


def test_a_pass_is_a_line_that_a_person_can_read(state):
    progress.note(2, "passed")
    line = (state / "progress.txt").read_text(encoding="utf-8").split()
    assert line[2:] == ["challenge", "2", "passed"]
    assert f"✔ passed {' '.join(line[:2])}" in progress.show().splitlines()[1]


def test_the_first_pass_counts_and_a_reset_does_not_take_it_back():
    progress.note(1, "passed")
    when = progress.when_passed(1)
    progress.note(1, "reset")
    assert progress.when_passed(1) == when
    assert progress.when_passed(2) is None


def test_lines_of_someone_else_do_no_harm(state):
    (state / "progress.txt").write_text("hello\nchallenge 1 passed\n\n", encoding="utf-8")
    assert progress.when_passed(1) is None


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_hints_come_one_after_the_other_and_begin_anew_after_a_reset(challenge):
    number = int(challenge.__name__[-1])
    count = len(texts()["hints"][str(number)])
    assert count >= 3
    shown = [str(challenge.hint()) for _ in range(count + 1)]
    assert [text.partition(":")[0] for text in shown] == [
        *(f"Hint {n} of {count}" for n in range(1, count + 1)),
        f"Hint {count} of {count}",
    ]
    assert f"workshop solution {number}" in shown[-1]
    progress.note(number, "reset")
    assert str(challenge.hint()) == shown[0]


def test_looking_at_help_is_noted():
    challenge_1.hint()
    progress.note(1, "solution")
    assert progress.show().splitlines()[0].endswith("hints: 1, solution looked at")


@pytest.mark.solved_course
def test_solutions_are_those_of_the_course():
    parts = ("do_task.delay(", "self.retry(", "database_url = ", '"rows": 300', "do_block.delay(x, y, km=10)")
    assert all(part in challenge.solution() for part, challenge in zip(parts, CHALLENGES, strict=True))
    assert "shares = " in challenge_3.solution()
