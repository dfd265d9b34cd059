"""A person's own files in the course's folder: copied byte for byte to ``my-work``, packed, brought back."""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory

from backstage.challenges import files, git, source
from backstage.challenges.files import NEVER, Files, differs, in_the_way, require_access
from backstage.challenges.starters import Level, course
from backstage.stack.texts import refusal
from workshop.errors import WorkshopError, WrongUse
from workshop.state_folder import ROOT

Say = Callable[[str], None]

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
    with _draft(KEPT) as draft:
        files.copy(paths, ROOT, draft)
        draft.rename(kept)


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
def _draft(folder: Path) -> Iterator[Path]:
    """Yield an empty folder in another one, to be filled and renamed; it is removed if it stays."""
    folder.mkdir(exist_ok=True)
    with TemporaryDirectory(prefix=".draft-", dir=folder, ignore_cleanup_errors=True) as draft:
        (inside := Path(draft) / "work").mkdir()
        yield inside


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


def saved() -> list[str]:
    """Return the names of saved work, newest first."""
    found = [path for path in KEPT.glob("[!.]*") if path.is_dir() or path.suffix == ".zip"]
    return [f"my-work/{path.name}" for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def restore(name: str, say: Say) -> None:
    """Bring saved work back into the folder. Own files that are in its way are moved to ``my-work``.

    Parameters
    ----------
    name : str
        One of the saved names, with or without ``my-work/``, or the path of a ZIP file that `pack` wrote.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If there is no such work, or the files can't be read or written.
    """
    with _opened(name) as folder:
        paths = sorted(files.names(folder))
        if foreign := [path for path in paths if NEVER.intersection(path.lower().split("/"))]:
            raise refusal("no-work", name=name, path=readable(foreign[0]))
        require_access([*paths, *in_the_way(paths)])
        kept, brought = new_place(challenge=1), fresh()
        for path in paths:
            put_aside(path, kept, brought)
            files.place(path, partial(shutil.copy, folder / path, follow_symlinks=False))
    if kept.exists():
        say(f"What was in the way is saved in my-work/{kept.name}")
    say(f"Restored {shown(paths)} from {name}")


@contextmanager
def _opened(name: str) -> Iterator[Path]:
    """Yield a folder with saved work, that of a ZIP file unpacked meanwhile."""
    inside = f"my-work/{name.removeprefix('my-work/').strip('/')}"
    place = ROOT / inside if inside in saved() else Path(name)
    if place.is_dir() and inside in saved():
        yield place
    elif zipfile.is_zipfile(place):
        with _draft(KEPT) as folder:
            try:
                _unpack(place, folder)
            except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
                raise WorkshopError(f"{name} can't be read: {error}.", "copy the ZIP file again") from error
            yield folder
    else:
        raise WrongUse(f"There is no saved work {name}.", "workshop restore shows all names")


def _unpack(file: Path, folder: Path) -> None:
    """Write a ZIP file's content into a folder: links last, so that nothing is written through them."""
    links = []
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            written, mode = Path(archive.extract(entry, folder)), entry.external_attr >> 16
            if stat.S_ISLNK(mode):
                links.append(written)
            elif mode & stat.S_IXUSR and not entry.is_dir():
                written.chmod(written.stat().st_mode | 0o111)
    for link in links:
        points_to = os.fsdecode(link.read_bytes())
        link.unlink()
        link.symlink_to(points_to)


def pack(target: Path | None) -> Path:
    """Write one's own work into a ZIP file and return its place.

    Parameters
    ----------
    target : pathlib.Path, optional
        The file; by default a new one in ``my-work``.

    Raises
    ------
    WorkshopError
        If there is nothing to save.
    WrongUse
        If the file exists, or its folder does not.
    """
    paths = own(present())
    if not paths:
        raise WorkshopError("There is nothing to save: all files are as the course brought them")
    target = target or new_place(challenge=0, ending=".zip")
    if target.exists():
        raise WrongUse(f"{target} exists already.", "choose another name")
    if target.parent != KEPT and not target.parent.is_dir():
        raise WrongUse(f"{target.parent} is no folder.", "choose one that exists")
    with _draft(target.parent) as draft:
        with zipfile.ZipFile(draft / "zip", "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in paths:
                _add(archive, path)
        (draft / "zip").rename(target)
    return target


def _add(archive: zipfile.ZipFile, path: str) -> None:
    source = ROOT / path
    if not source.is_symlink():
        archive.write(source, readable(path))
        return
    entry = zipfile.ZipInfo(readable(path), datetime.now().timetuple()[:6])
    entry.external_attr = 0o120777 << 16
    archive.writestr(entry, os.fsencode(source.readlink()))


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
