"""Where the marked source of the course is: in git's history, or in a copy that was kept of a download."""

import os
from pathlib import Path
from typing import Any

from backstage.challenges import git
from backstage.challenges.files import NOTE, Files, copy, course_names, read_folder
from backstage.stack.texts import refusal
from workshop import json_files, state_folder
from workshop.errors import WorkshopError
from workshop.state_folder import ROOT


def marked() -> Files:
    """Return the files of the marked source; see `find`."""
    commit = find()
    return git.read(commit) if commit else read_folder(_copy())


def find() -> str | None:
    """Return the commit that holds the marked source; None if it is the kept copy.

    Raises
    ------
    WorkshopError
        If there is none on this machine.
    """
    if git.is_used():
        starter = git.line("log", "-1", "--format=%H", "--diff-filter=A", "HEAD", "--", NOTE)
        for revision in ("HEAD", f"{starter}^", "main", "origin/main"):
            if (commit := git.commit_of(revision)) and is_source(commit):
                return commit
        raise refusal("not-in-this-clone")
    if _copy().exists():
        return None
    raise refusal("no-copy", folder=_copy())


def is_source(commit: str) -> bool:
    """Return whether a commit holds the marked source, not a starter."""
    found = git.names("ls-tree", "-z", "--name-only", "--full-tree", commit, "workshop/__init__.py", NOTE)
    return found == ["workshop/__init__.py"]


def challenge_here() -> dict[str, Any]:
    """Return what `NOTE` says of the files here; empty for the solved course, or if it can't be read."""
    try:
        return json_files.read(ROOT / NOTE)
    except (OSError, WorkshopError):
        return {}


def first_step() -> str:
    """Return where a person begins, in words."""
    here = challenge_here().get("challenge")
    if here is None:
        return "This is the solved course. To begin: workshop reset 1"
    return f"Challenge {here}: open {notebook_of(here)}"


def notebook_of(challenge: int) -> str:
    """Return the notebook of a challenge, such as ``notebooks/02-retry.ipynb``."""
    found = sorted((ROOT / "notebooks").glob(f"{challenge:02}-*.ipynb"))
    return found[0].relative_to(ROOT).as_posix() if found else "notebooks"


def keep_copy() -> None:
    """Keep a copy of the solved course where git can't give it back, once."""
    if git.is_used() or (ROOT / NOTE).exists() or _copy().exists():
        return
    draft = _copy().with_name(f".course.{os.getpid()}")
    copy(course_names(ROOT), ROOT, draft)
    draft.rename(_copy())


def _copy() -> Path:
    return state_folder.state_dir() / "course"
