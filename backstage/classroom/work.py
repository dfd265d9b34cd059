"""A person's own files in the course's folder: which they are, and a copy of them in ``my-work``."""

import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from backstage.challenges import files, git, source
from backstage.challenges.files import NEVER, Files, differs, in_the_way
from backstage.challenges.starters import Level, course
from backstage.stack.jupyterlab import RESETS
from workshop import state_folder
from workshop.errors import WorkshopError
from workshop.state_folder import ROOT

KEPT = ROOT / "my-work"


@cache
def files_at(level: Level) -> Files:
    """Return the course's files at a level."""
    return course(source.marked(), level)


def fresh() -> Files:
    """Return the course's files as they were brought to the level that is here."""
    here = source.challenge_here()
    if "challenge" not in here:
        return source.marked()
    return files_at(Level(here["challenge"], here.get("solved", False)))


def present() -> list[str]:
    """Return the files in the course's folder, without what git or the course ignores."""
    if git.is_used():
        found = git.names("ls-files", "--cached", "--others", "--exclude-standard", "-z")
    else:
        found = files.course_names(ROOT)
    return sorted(path for path in set(found) if files.is_here(path) and Path(path).parts[0] not in NEVER)


def own(among: Iterable[str]) -> list[str]:
    """Return those of some files that are not as the course brought them."""
    brought = fresh()
    return sorted(path for path in set(among) if differs(path, brought.get(path)))


def keep(paths: list[str], kept: Path) -> None:
    """Copy files of the course's folder to a new folder in ``my-work``."""
    with draft(KEPT) as copied:
        files.copy(paths, ROOT, copied)
        copied.rename(kept)


def put_aside(path: str, kept: Path, brought: Files) -> None:
    """Move what is a person's, and in a file's way, to a folder in ``my-work``.

    What was copied there is moved all the same: it may have been saved again since.

    Parameters
    ----------
    path : str
        The file that is to come.
    kept : pathlib.Path
        The folder.
    brought : Files
        What is nobody's work: the course's files, see `fresh`.
    """
    for each in in_the_way([path]):
        if differs(each, brought.get(each)):
            files.move(each, kept)


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """Yield an empty folder in another one, to be filled and renamed; it is removed if it stays."""
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix=".draft-", dir=folder, ignore_cleanup_errors=True) as place:
        (inside := Path(place) / "work").mkdir()
        yield inside


def outdate_pages() -> None:
    """Have JupyterLab save no page any more that was opened before."""
    state_folder.write(RESETS, {"resets": state_folder.read(RESETS).get("resets", 0) + 1})


def require_room(paths: list[str]) -> None:
    """Require that `keep` can copy files.

    Raises
    ------
    WorkshopError
        If not; nothing was changed.
    """
    if KEPT.exists() and not (KEPT.is_dir() and os.access(KEPT, os.W_OK | os.X_OK)):
        raise WorkshopError(f"{KEPT} is no folder to write to. Nothing was changed.", "rename or remove it")
    size, free = sum((ROOT / path).lstat().st_size for path in paths), shutil.disk_usage(ROOT).free
    if size > free:
        text = f"A copy of your work takes {size / 1e6:,.0f} MB, and the disk has {free / 1e6:,.0f} MB free."
        raise WorkshopError(f"{text} Nothing was changed.", "make room, then again")


def new_place(challenge: int, ending: str = "") -> Path:
    """Return a new path in ``my-work``, with the time in its name.

    Parameters
    ----------
    challenge : int
        How it is called, if the files here are those of no challenge.
    ending : str
        How its name ends.
    """
    here = source.challenge_here().get("challenge", challenge)
    name = f"challenge-{here}-{datetime.now():%Y%m%d-%H%M%S}"
    places = [KEPT / f"{each}{ending}" for each in (name, *(f"{name}-{n}" for n in range(2, 100)))]
    return next(place for place in places if not place.exists())


def shown(paths: list[str], limit: int = 10) -> str:
    """Return file names in words, the first few of many."""
    if not paths:
        return "nothing"
    more = f" and {len(paths) - limit} more" if len(paths) > limit else ""
    return ", ".join(map(readable, paths[:limit])) + more


def readable(path: str) -> str:
    """Return a file name that can be shown, also if its bytes are no text."""
    return os.fsencode(path).decode(errors="replace")
