"""A person's own work in the course's folder: what it is, saved byte for byte, and brought back."""

import os
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from workshop.challenges import git
from workshop.challenges.files import present, remove, write_file
from workshop.challenges.source import challenge_here
from workshop.classroom import lab
from workshop.classroom.folderwork import FolderWork
from workshop.classroom.gitwork import GitWork
from workshop.classroom.obstacles import Refused, check
from workshop.machine import ROOT

Say = Callable[[str], None]


def here() -> GitWork | FolderWork:
    """Return the work in this folder, kept by git where git is in use, else in files."""
    return GitWork() if git.is_used() else FolderWork()


def stem(otherwise: int) -> str:
    """Return how saved work of the challenge in this folder is called, such as ``challenge-1``."""
    return f"challenge-{challenge_here().get('challenge', otherwise)}"


def restore(name: str, say: Say) -> None:
    """Bring saved work back into the folder, as changes that are not committed.

    Parameters
    ----------
    name : str
        One of the saved names, with or without ``my-work/``.
    say : callable
        Shows a line.

    Raises
    ------
    Refused
        If there is no such work, or the files can't be read or written.
    """
    work = here()
    name = f"my-work/{name.removeprefix('my-work/').strip('/')}"
    if name not in work.saved():
        raise Refused(f"There is no saved work {name}. Next: workshop restore shows all names")
    files, gone = work.read(name)
    work.refuse_if_stuck()
    check([*files, *gone])
    for document in lab.save_and_close([*files, *gone]):
        say(f"Saved and closed {document}")
    if work.changed():
        say(f"What was here is saved first: {work.save(stem(otherwise=1))}")
    for path, file in files.items():
        write_file(ROOT / path, file)
    for path in gone:
        remove(path)
    say(f"Restored {shown([*files, *gone])} from {name}")


def pack(target: Path | None) -> Path:
    """Write one's own work into a ZIP file and return its place.

    Parameters
    ----------
    target : pathlib.Path, optional
        The file; by default a new one in ``my-work``.

    Raises
    ------
    Refused
        If the file exists, or there is nothing to save.
    """
    work = here()
    files = present(path for path in work.since_starter() if ROOT / path != target)
    if not files:
        raise Refused("There is nothing to save: all files are as the course brought them")
    if target is None:
        target = ROOT / "my-work" / f"{stem(otherwise=0)}-{datetime.now():%Y%m%d-%H%M%S}.zip"
        target.parent.mkdir(exist_ok=True)
    try:
        with zipfile.ZipFile(target, "x", zipfile.ZIP_DEFLATED) as archive:
            for path, file in files.items():
                entry = zipfile.ZipInfo(readable(path), datetime.now().timetuple()[:6])
                entry.external_attr = file.mode << 16
                archive.writestr(entry, file.data, zipfile.ZIP_DEFLATED)
    except FileExistsError as error:
        raise Refused(f"{target} exists already. Next: choose another name") from error
    return target


def shown(paths: list[str], limit: int = 10) -> str:
    """Return file names in words, the first few of many."""
    if not paths:
        return "nothing"
    more = f" and {len(paths) - limit} more" if len(paths) > limit else ""
    return ", ".join(map(readable, paths[:limit])) + more


def readable(path: str) -> str:
    """Return a file name that can be shown, also if its bytes are no text."""
    return os.fsencode(path).decode(errors="replace")
