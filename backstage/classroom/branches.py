"""The branches ``challenge-1`` to ``-3``: starters made from the solved course, never edited by hand."""

from collections.abc import Callable
from pathlib import Path

from backstage.challenges import git
from backstage.challenges.source import find, is_source
from backstage.challenges.starters import CHALLENGES, Level, course
from backstage.stack.texts import refusal
from workshop.errors import WorkshopError
from workshop.state_folder import ROOT

_MADE_BY = "Made by: workshop"
_HALF_DONE = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "rebase-merge", "rebase-apply")


def recreate(say: Callable[[str], None]) -> None:
    """Make the three branches anew from the current commit; files and index stay as they are.

    Parameters
    ----------
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If this is no git work tree on the solved course, or another one stands on a branch.
    """
    if not git.is_used():
        raise WorkshopError("The branches are made with git, and this folder is no git clone.", "git clone")
    if not is_source("HEAD"):
        raise refusal("a-starter")
    made = {f"challenge-{number}": commit_of(Level(number)) for number in CHALLENGES}
    for name in made:
        _require_free(name)
    for name, commit in made.items():
        if kept := _keep(f"refs/heads/{name}", moving=name):
            say(f"{name} held commits of its own: they are kept on {kept}")
        git.git("update-ref", f"refs/heads/{name}", commit)
        say(f"{name} is {commit[:10]}")
    if git.line("status", "--porcelain"):
        say("Note: there are changes that are not committed. They are not in these branches.")
    say(f"Next: git push --force-with-lease origin {' '.join(made)}")


def commit_of(level: Level) -> str:
    """Return the commit of a level, made if need be; the same source gives the same commit."""
    source = find()
    assert source
    marked = git.read(source)
    changed = {path: file for path, file in course(marked, level).items() if marked.get(path) != file}
    date = git.line("log", "-1", "--format=%cd", "--date=raw", source)
    subject = f"Challenge {level.challenge}: {'solved' if level.solved else 'starter'}"
    return git.commit(source, changed, f"{subject}\n\n{_MADE_BY}\n", date)


def require_ready(level: Level) -> None:
    """Require that git can go to a level, where it has a branch.

    Raises
    ------
    WorkshopError
        If it is in the middle of a merge and the like, or at work for others, or may not write.
    """
    folder = Path(git.line("rev-parse", "--absolute-git-dir"))
    if any((folder / name).exists() for name in _HALF_DONE) or git.names("ls-files", "--unmerged", "-z"):
        raise refusal("half-done")
    if level.challenge in CHALLENGES:
        _require_free(f"challenge-{level.challenge}")
        git.git("read-tree", "--dry-run", commit_of(level))


def _require_free(branch: str) -> None:
    folder = git.line("for-each-ref", "--format=%(worktreepath)", f"refs/heads/{branch}")
    if folder and Path(folder).resolve() != ROOT:
        raise WorkshopError(f"{branch} is checked out in {folder}.", "switch there to another branch")


def stand_on(level: Level) -> list[str]:
    """Stand on the branch of a starter, with its files in the index; the files in the folder stay.

    Returns
    -------
    list of str
        The new branches that keep what nothing else would: commits of a person, and what was in the index.
    """
    branch, commit = f"challenge-{level.challenge}", commit_of(level)
    kept = [_keep(f"refs/heads/{branch}", moving=branch), _keep(_staged() or "HEAD", moving=branch)]
    git.git("read-tree", commit)  # first, as it fails where another git is at work
    git.git("update-ref", f"refs/heads/{branch}", commit)
    git.git("symbolic-ref", "-m", "workshop reset", "HEAD", f"refs/heads/{branch}")
    return [name for name in kept if name]


def _staged() -> str | None:
    """Return a commit of what the index holds; None if the last commit, or the folder, has that too."""
    in_index_only = git.names("diff-files", "--name-only", "-z", "--ignore-submodules")  # runs no filter
    tree, head = git.line("write-tree"), git.line("rev-parse", "HEAD")
    if not in_index_only or tree == git.line("rev-parse", f"{head}^{{tree}}"):
        return None
    return git.line("commit-tree", tree, "-p", head, "-m", "Work as it was in the index")


def _keep(revision: str, moving: str) -> str | None:
    """Keep a commit on a new branch, unless it is a starter or a branch other than `moving` has it."""
    commit = git.commit_of(revision)
    if commit is None or _is_starter(commit):
        return None
    has_it = git.line("for-each-ref", "--format=%(refname)", "--contains", commit, "refs/heads", "refs/tags")
    if set(has_it.split()) - {f"refs/heads/{moving}"}:
        return None
    name = f"my-work/{moving}-{commit[:10]}"
    git.git("update-ref", f"refs/heads/{name}", commit, "")
    return name


def _is_starter(commit: str) -> bool:
    by, *message = git.line("log", "-1", "--format=%ce%n%B", commit).splitlines()
    return by == git.EMAIL and _MADE_BY in message
