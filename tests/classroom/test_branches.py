"""``workshop class branches`` makes the starters from the solved course, and nothing else changes."""

from pathlib import Path

import pytest

from tests.classroom.course import OWN, Course

pytestmark = pytest.mark.solved_course

NAMES = ("challenge-1", "challenge-2", "challenge-3")


def tips(course: Course) -> list[str]:
    return [course.git("rev-parse", name) for name in NAMES]


def test_the_same_source_gives_the_same_commits(course: Course) -> None:
    """Whoever makes them, whenever, and whatever is in the folder meanwhile."""
    before = course.state()
    shown = course.workshop("class", "branches")
    assert "Next: git push --force-with-lease origin challenge-1 challenge-2 challenge-3" in shown
    made = tips(course)
    assert course.state()[:2] == before[:2]
    (course.root / "workshop/tasks.py").write_text("### BEGIN SOLUTION nonsense")
    course.config = {"user.name": "Bob", "user.email": "bob@localhost", "core.autocrlf": "true"}
    assert "not committed" in course.workshop("class", "branches")
    assert tips(course) == made
    assert not course.branches()


def test_commits_of_a_person_are_kept(course: Course) -> None:
    course.workshop("class", "branches")
    course.git("switch", "--quiet", "challenge-2")
    course.git("commit", "--quiet", "--allow-empty", "-m", "Mine")
    mine = course.git("rev-parse", "HEAD")
    assert "Next: git switch main" in course.workshop("class", "branches", code=3)
    course.git("switch", "--quiet", "main")
    shown = course.workshop("class", "branches")
    (kept,) = course.branches()
    assert kept.startswith(f"{OWN}2-") and kept in shown
    assert course.git("rev-parse", kept) == mine
    assert course.git("rev-parse", "challenge-2~1") == course.git("rev-parse", "main")


def test_a_branch_that_is_checked_out_elsewhere_is_left_alone(course: Course, tmp_path: Path) -> None:
    course.git("worktree", "add", "--quiet", "-b", "challenge-3", str(tmp_path / "elsewhere"))
    before = course.state()
    shown = course.workshop("class", "branches", code=3)
    assert "challenge-3 is checked out in" in shown and "elsewhere" in shown
    assert "challenge-3 is checked out in" in course.workshop("reset", "3", "--yes", code=3)
    assert course.state() == before


def test_wrong_marks_are_named_and_nothing_is_made(course: Course) -> None:
    with (course.root / "workshop/demo.py").open("a") as demo:
        demo.write("### BEGIN SOLUTION 3: more\n")
    course.git("commit", "--quiet", "--all", "-m", "Wrong")
    last = (course.root / "workshop/demo.py").read_text().count("\n")
    assert f"workshop/demo.py, line {last}: this mark of a solution is wrong" in course.workshop(
        "class", "branches", code=3
    )
    assert not course.git("branch", "--list", "challenge-*")
