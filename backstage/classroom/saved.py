"""Saved work: which there is in ``my-work``, packed into a ZIP file, and brought back into the folder."""

import os
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from backstage.challenges import files
from backstage.challenges.files import NEVER, in_the_way, require_access
from backstage.classroom import work
from backstage.stack.texts import refusal
from workshop.errors import WorkshopError, WrongUse
from workshop.state_folder import ROOT

Say = Callable[[str], None]


def saved() -> list[str]:
    """Return the names of saved work, newest first."""
    found = [path for path in work.KEPT.glob("[!.]*") if path.is_dir() or path.suffix == ".zip"]
    return [f"my-work/{path.name}" for path in sorted(found, key=lambda path: -path.stat().st_mtime)]


def restore(name: str, say: Say) -> None:
    """Bring saved work back into the folder. Own files that are in its way are moved to ``my-work``.

    JupyterLab saves no page over it that was opened before.

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
            raise refusal("no-work", name=name, path=work.readable(foreign[0]))
        require_access([*paths, *in_the_way(paths)])
        if any(path.endswith(".ipynb") for path in paths):
            work.outdate_pages()
        kept, brought = work.new_place(challenge=1), work.fresh()
        for path in paths:
            work.put_aside(path, kept, brought)
            files.place(path, partial(shutil.copy, folder / path, follow_symlinks=False))
    if kept.exists():
        say(f"What was in the way is saved in my-work/{kept.name}")
    say(f"Restored {work.shown(paths)} from {name}")


@contextmanager
def _opened(name: str) -> Iterator[Path]:
    """Yield a folder with saved work, that of a ZIP file unpacked meanwhile."""
    inside = f"my-work/{name.removeprefix('my-work/').strip('/')}"
    place = ROOT / inside if inside in saved() else Path(name)
    if place.is_dir() and inside in saved():
        yield place
    elif zipfile.is_zipfile(place):
        with work.draft(work.KEPT) as folder:
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
    paths = work.own(work.present())
    if not paths:
        raise WorkshopError("There is nothing to save: all files are as the course brought them")
    target = target or work.new_place(challenge=0, ending=".zip")
    if target.exists():
        raise WrongUse(f"{target} exists already.", "choose another name")
    if target.parent != work.KEPT and not target.parent.is_dir():
        raise WrongUse(f"{target.parent} is no folder.", "choose one that exists")
    with work.draft(target.parent) as draft:
        with zipfile.ZipFile(draft / "zip", "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive:
            for path in paths:
                _add(archive, path)
        (draft / "zip").rename(target)
    return target


def _add(archive: zipfile.ZipFile, path: str) -> None:
    source = ROOT / path
    if not source.is_symlink():
        archive.write(source, work.readable(path))
        return
    entry = zipfile.ZipInfo(work.readable(path), datetime.now().timetuple()[:6])
    entry.external_attr = 0o120777 << 16
    archive.writestr(entry, os.fsencode(source.readlink()))
