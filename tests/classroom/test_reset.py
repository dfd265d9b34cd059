"""``workshop reset`` puts a fresh starter in place and loses nothing; ``restore`` brings work back."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.classroom.course import OWN, Course, copy_parts
from workshop.state_folder import MARK

pytestmark = pytest.mark.solved_course

LISTED = "--format=%(objectmode) %(objectname) 0%x09%(path)"
AFTERWARDS = "Next: open notebooks/01-enqueue.ipynb\nWhat is open in JupyterLab still shows the old work"


def without_git(course: Course) -> None:
    shutil.rmtree(course.root)
    copy_parts(course.root)


def without_git_inside_another_repository(course: Course) -> None:
    without_git(course)
    course.run("git", "init", "--quiet", "..")
    course.run("git", "-C", "..", "commit", "--quiet", "--allow-empty", "-m", "Other")


def dirty_index(course: Course) -> None:
    (course.root / "workshop/grid.py").write_text("staged")
    (course.root / "workshop/staged.py").write_text("staged")
    course.git("add", ".")
    (course.root / "workshop/grid.py").write_text("later")
    (course.root / "workshop/staged.py").unlink()


def shallow_and_detached_with_odd_settings_and_a_dirty_index(course: Course) -> None:
    """Line ends of Windows; and nobody's name, but signing and hooks."""
    url = f"file://{course.git('config', 'remote.origin.url')}"
    shutil.rmtree(course.root)
    course.root.mkdir()
    course.git("clone", "--quiet", "--depth=1", url, ".")
    course.config["core.autocrlf"] = "true"
    course.git("rm", "--quiet", "--cached", "-r", ".")
    course.git("reset", "--quiet", "--hard")
    assert b"\r\n" in (course.root / "workshop/tasks.py").read_bytes()
    course.git("checkout", "--quiet", "--detach")
    course.git("commit", "--quiet", "--allow-empty", "-m", "Mine")
    dirty_index(course)
    for name in ("post-checkout", "reference-transaction", "pre-commit"):
        hook = course.root / ".git/hooks" / name
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    course.config = {
        "core.autocrlf": "true",
        "commit.gpgsign": "true",
        "gpg.program": "/no/such/program",
        "user.useConfigOnly": "true",
    }


def worktree_of_a_sha256_repository_with_a_filter(course: Course) -> None:
    """As with Git LFS, what is in the folder is not what is in git; and the filter fails later on."""
    shutil.rmtree(course.root / ".git")
    course.git("init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    course.git("add", ".")
    course.git("commit", "--quiet", "-m", "The course")
    course.config |= {"filter.case.smudge": "tr a-z A-Z", "filter.case.clean": "tr A-Z a-z"}
    (course.root / ".git/info/attributes").write_text("/README.md filter=case\n")
    course.git("worktree", "add", "--quiet", "-b", "mine", str(course.root / "../elsewhere"))
    course.root = course.root.parent / "elsewhere"
    assert (course.root / "README.md").read_text().isupper()
    course.config |= {"filter.case.smudge": "false", "filter.case.clean": "false"}
    course.config["filter.case.required"] = "true"


SITUATIONS: list[Callable[[Course], None]] = [
    shallow_and_detached_with_odd_settings_and_a_dirty_index,
    worktree_of_a_sha256_repository_with_a_filter,
    without_git_inside_another_repository,
]


def do_work(root: Path) -> list[str]:
    """Change, add and remove files of every kind; return those that hold work."""
    (root / "workshop/tasks.py").write_bytes(b"mixed\r\nline ends\n( and a syntax error\r\n")
    (root / "workshop/challenge.py").write_bytes(b"one line")
    (root / "notebooks/\N{LATIN SMALL LETTER U WITH DIAERESIS}bung 1.bin").write_bytes(bytes(range(256)))
    (root / "notebooks/link").symlink_to("no such file")
    (root / "tests/deep").mkdir()
    (root / "tests/deep/run me.sh").write_bytes(b"#!/bin/sh\n")
    (root / "tests/deep/run me.sh").chmod(0o755)
    (root / 'my "notes".txt').write_bytes(b"\xff\r\n")
    (root / "notebooks/two\nlines.txt").write_bytes(b"")
    (root / "README.md").chmod(0o755)
    (root / "workshop/service.py").unlink()
    return [
        "workshop/tasks.py",
        "workshop/challenge.py",
        "notebooks/\N{LATIN SMALL LETTER U WITH DIAERESIS}bung 1.bin",
        "notebooks/link",
        "tests/deep/run me.sh",
        'my "notes".txt',
        "notebooks/two\nlines.txt",
    ]


def is_fresh(course: Course, challenge: int) -> bool:
    tasks = (course.root / "workshop/tasks.py").read_text()
    note = (course.root / "workshop/challenge.json").read_text()
    others = [path for path in ("workshop/challenge.py", "tests/deep", "notebooks/link")]
    return (
        f'"challenge": {challenge}' in note
        and ("self.retry" in tasks) == (challenge > 2)
        and "BEGIN SOLUTION" not in tasks
        and (course.root / "workshop/service.py").exists()
        and not any(os.path.lexists(course.root / path) for path in others)
    )


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda function: function.__name__)
def test_work_is_saved_and_comes_back_byte_for_byte(
    course: Course, situation: Callable[[Course], None]
) -> None:
    situation(course)
    if not (course.root / ".git").exists():
        course.workshop("reset", "1", "--dry-run")  # as the first start does, this keeps a fresh copy
    work = do_work(course.root)
    checkpoint = course.root / "notebooks/.ipynb_checkpoints/01-enqueue-checkpoint.ipynb"
    checkpoint.parent.mkdir()
    checkpoint.write_text("{}")
    before = course.files()
    head = course.git("rev-parse", "HEAD") if (course.root / ".git").exists() else ""
    shown = course.workshop("reset", "1", "--yes")
    assert AFTERWARDS in shown
    assert is_fresh(course, 1)
    assert (course.root / 'my "notes".txt').exists(), "files elsewhere stay"
    assert not checkpoint.exists(), "JupyterLab can't go back to what was before"
    (name,) = course.saved()
    assert name.startswith(f"{OWN}1-") and f"workshop restore {name}" in shown
    if head:
        assert course.git("symbolic-ref", "--short", "HEAD") == "challenge-1"
        assert course.git("ls-files", "--stage") == course.git("ls-tree", "-r", LISTED, "challenge-1")
        assert course.git("for-each-ref", "--contains", head), "each commit is on a branch"

    assert name in course.workshop("restore", name)
    after = course.files()
    assert {path: after[path] for path in work} == {path: before[path] for path in work}
    if head:
        assert course.git("symbolic-ref", "--short", "HEAD") == "challenge-1"


SAVED_LATE = """
from pathlib import Path
from backstage.challenges.starters import Level
from backstage.classroom import branches, reset
stand_on = branches.stand_on
def saved_meanwhile(level):
    for name in ("tasks", "demo"):
        Path(f"workshop/{name}.py").write_text("later")
    return stand_on(level)
branches.stand_on = saved_meanwhile
reset.reset(Level(1), print)
"""


def test_what_is_saved_while_a_reset_copies_is_not_lost(course: Course) -> None:
    (course.root / "workshop/tasks.py").write_text("first")
    (course.root / "workshop/grid.py").write_text("mine")
    course.run(sys.executable, "-c", SAVED_LATE)
    (name,) = course.saved()
    kept = {path.name: path.read_text() for path in (course.root / name / "workshop").iterdir()}
    assert kept == {"tasks.py": "later", "demo.py": "later", "grid.py": "mine"}
    assert is_fresh(course, 1)


def test_what_was_in_the_index_is_saved_too(course: Course) -> None:
    dirty_index(course)
    course.workshop("reset", "2", "--yes")
    (name,) = course.saved()
    assert (course.root / name / "workshop/grid.py").read_text() == "later"
    (branch,) = course.branches()
    assert course.git("show", f"{branch}:workshop/grid.py") == "staged"
    assert course.git("show", f"{branch}:workshop/staged.py") == "staged"


def test_from_challenge_to_challenge_and_back(course: Course) -> None:
    """Commits on a branch that is made anew are kept, and solutions come on request."""
    course.workshop("reset", "1", "--yes")
    assert course.saved() == [], "there was nothing to save"
    (course.root / "workshop/demo.py").write_text("# mine\n")
    course.git("commit", "--quiet", "--all", "-m", "Mine")
    course.workshop("reset", "2", "--yes")
    (name,) = course.saved()
    assert course.branches() == [] and is_fresh(course, 2)
    assert course.git("show", "challenge-1:workshop/demo.py") == "# mine"
    course.workshop("reset", "1", "--yes", "--solved")
    (branch,) = course.branches()
    assert course.git("show", f"{branch}:workshop/demo.py") == "# mine"
    assert '"solved": true' in (course.root / "workshop/challenge.json").read_text()
    assert "do_task.delay" in (course.root / "workshop/demo.py").read_text()
    course.workshop("restore", name)
    assert (course.root / "workshop/demo.py").read_text() == "# mine\n"
    course.git("add", ".")
    shown = course.workshop("reset", "3", "--yes")
    assert course.branches() == [branch], "what is staged as it is in the folder needs none"
    assert is_fresh(course, 3) and "Next: open notebooks/03-scale-out.ipynb" in shown
    assert sorted(course.workshop("restore").split()) == course.saved()


def test_the_stretches_have_no_branch(course: Course) -> None:
    course.workshop("reset", "3", "--yes")
    course.git("switch", "--quiet", "-c", "mine")
    course.workshop("reset", "5", "--yes")
    assert is_fresh(course, 5) and course.saved() == []
    assert course.git("symbolic-ref", "--short", "HEAD") == "mine"
    course.workshop("reset", "5", "--yes")
    assert course.saved() == [], "a starter is nobody's work, committed or not"


def test_a_dry_run_and_a_missing_confirmation_change_nothing(course: Course) -> None:
    do_work(course.root)
    before = course.state()
    shown = course.workshop("reset", "1", "--dry-run")
    assert "workshop/tasks.py" in shown and 'my "notes".txt' in shown
    assert "squares and queues stay as they are" in shown
    assert "--yes" in course.workshop("reset", "1", code=2)
    assert course.state() == before


def test_a_folder_that_became_a_link_is_a_folder_again(course: Course) -> None:
    elsewhere = course.root.parent / "elsewhere"
    (course.root / "notebooks").rename(elsewhere)
    (course.root / "notebooks").symlink_to(elsewhere)
    (elsewhere / "mine.ipynb").write_text("mine")
    before = {path.relative_to(elsewhere) for path in elsewhere.rglob("*")}
    course.workshop("reset", "1", "--yes")
    assert course.git("status", "--porcelain") == ""
    assert {path.relative_to(elsewhere) for path in elsewhere.rglob("*")} == before
    (name,) = course.saved()
    assert (course.root / name / "notebooks").readlink() == elsewhere


def test_an_ignored_file_in_the_way_is_saved(course: Course) -> None:
    (course.root / ".git/info/exclude").write_text("challenge.json\nmine.py\n")
    (course.root / "workshop/challenge.json").write_text("mine")
    (course.root / "workshop/mine.py").write_text("ignored")
    course.workshop("reset", "1", "--yes")
    (name,) = course.saved()
    assert (course.root / name / "workshop/challenge.json").read_text() == "mine"
    assert is_fresh(course, 1)
    assert (course.root / "workshop/mine.py").read_text() == "ignored"


def test_the_fresh_copy_of_a_download_survives_a_purge(course: Course) -> None:
    without_git(course)
    course.workshop("reset", "1", "--yes")
    (course.root / "workshop/demo.py").write_text("# mine\n")
    assert "in course/ the fresh copy of the course" in course.workshop("down", "--purge")
    assert {path.name for path in (course.root.parent / "state").iterdir()} == {"course", "lock", MARK}
    course.workshop("reset", "2", "--yes")
    assert is_fresh(course, 2)


def test_save_writes_a_zip_which_restore_brings_back(course: Course) -> None:
    """Work that is committed is in it, too."""
    course.workshop("reset", "1", "--yes")
    assert "nothing to save" in course.workshop("save", code=3)
    (course.root / "workshop/demo.py").write_text("# mine\n")
    course.git("commit", "--quiet", "--all", "-m", "Mine")
    work = ["workshop/demo.py", *do_work(course.root)]
    before = course.files()
    course.workshop("save", "../mine.zip")
    with zipfile.ZipFile(course.root / "../mine.zip") as archive:
        assert set(archive.namelist()) == set(work)
    assert "exists already" in course.workshop("save", "../mine.zip", code=2)
    assert "nowhere is no folder" in course.workshop("save", "nowhere/mine.zip", code=2)
    assert "There is no saved work nothing" in course.workshop("restore", "nothing", code=2)
    course.workshop("reset", "1", "--yes")
    (course.root / "workshop/tasks.py").write_text("newer")
    course.workshop("restore", "../mine.zip")
    after = course.files()
    assert {path: after[path] for path in work} == {path: before[path] for path in work}
    assert (
        sorted((course.root / name / "workshop/tasks.py").read_text() for name in course.saved())[1]
        == "newer"
    )


def resets(course: Course) -> int:
    return json.loads((course.root.parent / "state" / "resets.json").read_text())["resets"]


def test_a_restore_overwrites_nothing(course: Course) -> None:
    """Neither a folder nor a file that is in the way, nor a file of the same name."""
    mine = [course.root / name / "mine.txt" for name in ("one", "two", "three")]
    for each in mine:
        each.parent.mkdir()
        each.write_text("saved")
    (course.root / "notebooks/mine.ipynb").write_text("saved, too")
    course.workshop("reset", "1", "--yes")
    assert resets(course) == 1
    (saved,) = course.saved()
    others = [mine[0] / "deep/in the way", mine[1].parent, mine[2]]
    mine[0].unlink()
    (mine[0] / "deep").mkdir(parents=True)
    shutil.rmtree(mine[1].parent)
    for other in others:
        other.write_text("in the way")
    shown = course.workshop("restore", saved)
    assert resets(course) == 2, "JupyterLab saves no page that was opened before"
    assert [each.read_text() for each in mine] == ["saved"] * 3
    (first,) = set(course.saved()) - {saved}
    for other in others:
        assert (course.root / first / other.relative_to(course.root)).read_text() == "in the way"
    assert f"What was in the way is saved in {first}" in shown


@pytest.mark.parametrize(
    "name", ["../out.txt", "/out.txt", "link/out.txt", ".git/hooks/post-checkout", "a/.GIT/b"]
)
def test_a_zip_writes_only_where_work_is(course: Course, name: str) -> None:
    with zipfile.ZipFile(course.root.parent / "bad.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "..")
        archive.writestr(name, "bad")
    before, outside = course.state(), sorted(course.root.parent.iterdir())
    course.run(sys.executable, "-m", "backstage", "restore", "../bad.zip", code=None)
    assert sorted(course.root.parent.iterdir()) in (outside, sorted([*outside, course.root.parent / "state"]))
    if ".git" in name.lower():
        assert course.state() == before


def test_a_damaged_zip_is_named(course: Course) -> None:
    (course.root / "workshop/tasks.py").write_bytes(os.urandom(5000))
    archive = course.root / course.workshop("save").removeprefix("Saved in ").strip()
    data = bytearray(archive.read_bytes())
    data[2000:2010] = bytes(10)
    archive.write_bytes(data)
    shown = course.workshop("restore", archive.name, code=3)
    assert f"{archive.name} can't be read: " in shown and "Next: copy the ZIP file again" in shown


def test_where_every_file_is_a_program_nothing_is_ones_own(course: Course) -> None:
    """As on a disk of Windows, seen from a container."""
    course.config["core.fileMode"] = "false"
    for path in course.root.rglob("*"):
        if path.is_file() and not path.is_symlink():
            path.chmod(0o755)
    course.workshop("reset", "1", "--yes")
    assert course.saved() == []


def test_what_keeps_a_copy_from_being_made_is_named_first(course: Course) -> None:
    do_work(course.root)
    (course.root / "my-work").write_text("a file")
    before = course.state()
    assert "my-work is no folder to write to" in course.workshop("reset", "1", "--yes", code=3)
    assert course.state() == before


def test_in_the_middle_of_a_merge_it_refuses(course: Course) -> None:
    for branch, text in (("other", "other"), ("main", "main")):
        course.git("switch", "--quiet", "-C", branch, "origin/main")
        (course.root / "README.md").write_text(text)
        course.git("commit", "--quiet", "--all", "-m", text)
    course.git("merge", "other", code=1)
    before = course.state()
    said = "A merge, a rebase or the like is not finished here. Nothing was changed. Next: git status"
    assert said in course.workshop("reset", "1", "--yes", code=3)
    assert course.state() == before


def test_a_clone_of_a_starter_alone_says_what_to_fetch(course: Course, tmp_path: Path) -> None:
    course.workshop("class", "branches")
    url = f"file://{course.root}"
    course.git("clone", "--quiet", "--depth=1", "--branch=challenge-2", url, str(tmp_path / "alone"))
    alone = Course(tmp_path / "alone")
    assert "Next: git fetch origin main:main" in alone.workshop("reset", "2", "--yes", code=3)
    alone.git("fetch", "--quiet", "origin", "main:main")
    alone.workshop("reset", "3", "--yes")
    assert is_fresh(alone, 3)


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("workshop/tasks.py", 0o000, "workshop/tasks.py can't be read"),
        ("workshop", 0o555, "workshop/__init__.py can't be replaced"),
        (".git", 0o555, "index.lock': Permission denied"),
        (".git/objects", 0o555, "insufficient permission"),
    ],
)
def test_files_without_permission_are_named(course: Course, name: str, mode: int, said: str) -> None:
    with (course.root / "workshop" / "demo.py").open("a") as file:
        file.write("# other than at the origin, so that git has to write its starter\n")
    course.git("commit", "--quiet", "--all", "-m", "Mine")
    before = course.state()
    spoiled = [course.root / name, *(course.root / name).glob("[0-9a-f][0-9a-f]")]  # git's folders of objects
    for path in spoiled:
        path.chmod(mode)
    if os.getuid() == 0:  # root may do all, unless it gives up that right
        course.before = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
    try:
        shown = course.workshop("reset", "1", "--yes", code=3)
    finally:
        for path in spoiled:
            path.chmod(0o755 if path.is_dir() else 0o644)
    assert said in shown and "Next: " in shown
    assert course.state() == before


def test_a_clone_that_belongs_to_another_user(course: Course) -> None:
    if os.getuid() == 0:
        subprocess.run(["chown", "-R", "65534:65534", str(course.root)], check=True)
    else:  # only root can give files away; git itself knows how to take them for another's
        course.before = ("env", "GIT_TEST_ASSUME_DIFFERENT_OWNER=1")
    assert "dubious ownership" in course.git("status", code=128)
    course.workshop("reset", "2", "--yes")
    assert is_fresh(course, 2)
