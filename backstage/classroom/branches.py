"""The branches ``challenge-1`` to ``-3``: starters made from the solved course, never edited by hand."""

import os
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

from backstage.challenges import git
from backstage.challenges.source import Source, find, is_source
from backstage.challenges.starters import CHALLENGES, Level, course
from workshop.errors import WorkshopError
from workshop.state_folder import ROOT

_MADE_BY = "Made by: workshop"
_HALF_DONE = {
    "MERGE_HEAD": "merge",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
}


def recreate(say: Callable[[str], None], remote: str | None = None) -> None:
    """Make the three branches anew from the current commit; files and index stay as they are.

    Parameters
    ----------
    say : callable
        Shows a line.
    remote : str, optional
        Where to push them.

    Raises
    ------
    WorkshopError
        If this is no git work tree on the solved course, or a branch is checked out.
    """
    source = _source_here()
    names = [f"challenge-{number}" for number in CHALLENGES]
    for name in names:
        refuse_if_checked_out(name)
    made = {name: starter(source, Level(number)) for name, number in zip(names, CHALLENGES, strict=True)}
    for name, commit in made.items():
        if kept := keep_own(name):
            say(f"{name} held commits of its own: they are kept on {kept}")
        git.git("update-ref", f"refs/heads/{name}", commit)
        say(f"{name} is {commit[:10]}")
    if git.line("status", "--porcelain"):
        say("Note: there are changes that are not committed. They are not in these branches.")
    if remote:
        _push(remote, names)
        say(f"Pushed {', '.join(names)} to {remote}")


def _source_here() -> Source:
    if not git.is_used():
        raise WorkshopError("The branches are made with git, and this folder is no git clone.", "git clone")
    commit = git.line("rev-parse", "HEAD")
    if not is_source(commit):
        raise WorkshopError(
            "Here is a starter; the branches are made from the solved course.", "git switch main"
        )
    return Source(commit)


def _push(remote: str, names: list[str]) -> None:
    try:
        git.git("push", "--quiet", "--force-with-lease", "--", remote, *names)
    except WorkshopError as error:
        raise WorkshopError(
            f"The branches are made, but {remote} did not take them: {error}\n",
            f"git fetch {remote}, look at its branches, then the same command again",
        ) from error


@cache
def starter(source: Source, level: Level) -> str:
    """Return the commit of a level, made if need be; the same source gives the same commit."""
    assert source.commit
    marked = source.marked()
    files = course(marked, level)
    changed = {path: file for path, file in files.items() if marked.get(path) != file}
    date = git.line("log", "-1", "--format=%cd", "--date=raw", source.commit)
    subject = f"Challenge {level.challenge}: {'solved' if level.solved else 'starter'}"
    return git.commit(source.commit, changed, f"{subject}\n\n{_MADE_BY}\n", date)


def beginning(revision: str) -> str | None:
    """Return the newest starter among a commit and those before it; None if there is none."""
    made = ("--fixed-strings", f"--committer={git.EMAIL}", f"--grep={_MADE_BY}")
    return git.line("log", "-1", "--first-parent", "--format=%H", *made, revision) or None


def refuse_if_stuck(branch: str) -> None:
    """Refuse to go to a branch in the middle of a merge and the like, or where git can't.

    Raises
    ------
    WorkshopError
        If so.
    """
    folder = Path(git.line("rev-parse", "--absolute-git-dir"))
    for name, what in _HALF_DONE.items():
        if (folder / name).exists():
            raise WorkshopError(
                f"A {what} is not finished. Nothing was changed.", f"git {what} --continue, or --abort"
            )
    if unmerged := git.names("ls-files", "--unmerged", "-z"):
        name = unmerged[0].partition("\t")[2]
        raise WorkshopError(f"{name} is not merged. Nothing was changed.", "mend it, then git add it")
    if (folder / "index.lock").exists():
        raise WorkshopError(
            "Git is busy here, or was stopped.", f"wait; if it stays, remove {folder / 'index.lock'}"
        )
    for place in (folder, *(Path(git.line("rev-parse", "--git-path", name)) for name in ("objects", "refs"))):
        if not os.access(ROOT / place, os.W_OK):
            raise WorkshopError(f"Git can't write to {ROOT / place}.", f"sudo chown -R $(id -u) '{ROOT}'")
    refuse_if_checked_out(branch, here=False)


def stand_on(level: Level) -> list[str]:
    """Stand on the branch of a starter, with its files in the index; the files in the folder stay.

    Returns
    -------
    list of str
        The new branches that keep what nothing else would: commits of a person, and what was in the index.
    """
    branch, commit = f"challenge-{level.challenge}", starter(find(), level)
    kept = [keep_own(branch), keep_commit(_staged() or "HEAD", moving=branch)]
    git.git("update-ref", f"refs/heads/{branch}", commit)
    git.git("symbolic-ref", "-m", "workshop reset", "HEAD", f"refs/heads/{branch}")
    git.git("read-tree", "HEAD")
    return [name for name in kept if name]


def _staged() -> str | None:
    """Return a commit of what the index holds; None if the last commit, or the folder, has that too."""
    in_index_only = git.names("diff-files", "--name-only", "-z", "--ignore-submodules")  # runs no filter
    tree, head = git.line("write-tree"), git.line("rev-parse", "HEAD")
    if not in_index_only or tree == git.line("rev-parse", f"{head}^{{tree}}"):
        return None
    return git.line("commit-tree", tree, "-p", head, "-m", "Work as it was in the index")


def keep_own(branch: str) -> str | None:
    """Keep the commits of a person on a branch that is about to be moved; return on which branch."""
    tip = git.commit_of(f"refs/heads/{branch}")
    return keep_commit(tip, moving=branch) if tip else None


def keep_commit(revision: str, moving: str) -> str | None:
    """Keep a commit on a new branch, unless it is a starter or a branch other than `moving` has it."""
    commit = git.line("rev-parse", revision)
    has_it = git.line("for-each-ref", "--format=%(refname)", "--contains", commit, "refs/heads", "refs/tags")
    if beginning(commit) == commit or set(has_it.split()) - {f"refs/heads/{moving}"}:
        return None
    name = new_name(moving)
    git.keep(name, commit)
    return name


def new_name(stem: str) -> str:
    """Return a new branch's name for saved work, such as ``my-work/challenge-1-20261122-140501``."""
    name = first = f"my-work/{stem}-{datetime.now():%Y%m%d-%H%M%S}"
    number = 1
    while git.commit_of(f"refs/heads/{name}"):
        number += 1
        name = f"{first}-{number}"
    return name


def refuse_if_checked_out(branch: str, here: bool = True) -> None:
    """Refuse if a branch is checked out in a folder; `here` tells whether this folder counts.

    Raises
    ------
    WorkshopError
        If it is.
    """
    folders = git.git("worktree", "list", "--porcelain").decode(errors="replace").split("\n\n")
    for about in folders:
        lines = about.strip().splitlines()
        if f"branch refs/heads/{branch}" not in lines:
            continue
        folder = lines[0].removeprefix("worktree ")
        if not here and Path(folder).resolve() == ROOT:
            continue
        raise WorkshopError(f"{branch} is checked out in {folder}.", "switch there to another branch")
