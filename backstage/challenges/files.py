"""The course's files as bytes, and which files in its folder are no part of it."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from backstage.stack.texts import refusal
from workshop import state_folder

NOTE = "workshop/challenge.json"
"""The file that tells a starter from the marked source, which has none."""

NEVER = {".git", "my-work", ".workshop"}
"""Names that no file of the course has in its path."""


Files = dict[str, bytes]
"""What files hold, by their path in the course's folder, with forward slashes."""


def read_folder(folder: Path) -> Files:
    """Return the course's files in a folder, by their path in it; a symbolic link is a person's own."""
    paths = [path for path in course_names(folder) if not (folder / path).is_symlink()]
    return {path: (folder / path).read_bytes() for path in paths}


def course_names(folder: Path) -> list[str]:
    """Return the paths of files and symbolic links in a folder, without what is no part of the course."""
    rules, state = folder / ".gitignore", state_folder.state_dir()
    lines = rules.read_text(encoding="utf-8", errors="replace").split() if rules.exists() else []
    found = names(folder, {*NEVER, *(line.strip("/") for line in lines)})
    return [path for path in found if state not in (folder / path).parents or state in folder.parents]


def names(folder: Path, hidden: Iterable[str] = ()) -> list[str]:
    """Return the paths of files and symbolic links in a folder.

    Parameters
    ----------
    folder : pathlib.Path
        The folder.
    hidden : iterable of str
        Patterns of names that are left out, those of folders too.
    """
    hide = shutil.ignore_patterns(*hidden)
    found = []
    for place, folders, files in os.walk(folder):
        left_out = hide(place, [*folders, *files])
        found += [Path(place) / name for name in {*folders, *files} - left_out]
        folders[:] = [name for name in folders if name not in left_out]
    return [path.relative_to(folder).as_posix() for path in found if is_file(path)]


def copy(paths: Iterable[str], source: Path, target: Path) -> None:
    """Copy files and symbolic links byte for byte from a folder to the same places in another."""
    for path in paths:
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / path, target / path, follow_symlinks=False)


def differs(path: str, data: bytes | None) -> bool:
    """Return whether the course's folder has another file than this one; a huge one is not read for that."""
    place = state_folder.ROOT / path
    if data is None or not is_here(path) or place.is_symlink() or place.stat().st_size != len(data):
        return True
    return place.read_bytes() != data


def require_access(paths: Iterable[str]) -> None:
    """Require that files in the course's folder can be read and replaced.

    Raises
    ------
    WorkshopError
        If not; nothing was changed.
    """
    for path in paths:
        file = state_folder.ROOT / path
        folder = next(parent for parent in file.parents if parent.is_dir())
        unreadable = file.is_file() and not file.is_symlink() and not os.access(file, os.R_OK)
        if unreadable or not os.access(folder, os.W_OK | os.X_OK):
            what = "read" if unreadable else "replaced"
            raise refusal("no-permission", path=path, what=what, root=state_folder.ROOT)


def place(path: str, write: Callable[[Path], object]) -> None:
    """Put a file into the course's folder, as a whole or not at all; empty folders in its way go.

    Parameters
    ----------
    path : str
        Its path in the course's folder.
    write : callable
        Writes it to the path that it gets.
    """
    target = state_folder.ROOT / path
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".draft.{os.getpid()}")
    try:
        write(draft)
        if target.is_dir() and not target.is_symlink():
            shutil.rmtree(target)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def in_the_way(paths: Iterable[str]) -> set[str]:
    """Return the files of the course's folder that are at these paths, above or below them."""
    found: set[str] = set()
    for path in paths:
        around = [path, *(parent.as_posix() for parent in Path(path).parents)]
        found.update(filter(is_here, around))
        if not found.intersection(around):
            found.update(f"{path}/{name}" for name in names(state_folder.ROOT / path))
    return found


def is_file(path: Path) -> bool:
    """Return whether something is a file or a symbolic link, whatever that points to."""
    return path.is_symlink() or path.is_file()


def is_here(path: str) -> bool:
    """Return whether the course's folder has a file or a link of that path; behind a link is elsewhere."""
    place = state_folder.ROOT / path
    return is_file(place) and place.parent.resolve() == place.parent


def move(path: str, folder: Path) -> None:
    """Move a file of the course's folder to the same place in another; folders that are empty then go."""
    source, target = state_folder.ROOT / path, folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.move(source, target)
    with suppress(OSError):
        os.removedirs(source.parent)


def is_courses_own(path: str) -> bool:
    """Return whether a file is in a folder where a starter has no others than its own."""
    return path.startswith(("workshop/", "backstage/", "notebooks/", "tests/"))
