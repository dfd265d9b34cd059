"""The course's files as bytes, and which files in its folder are no part of it."""

import os
import shutil
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from workshop import machine

NOTE = "workshop/challenge.json"
"""The file that tells a starter from the marked source, which has none."""

_NEVER = (".git", "my-work")


@dataclass(frozen=True)
class File:
    """What a file holds.

    Attributes
    ----------
    data : bytes
        Its content; of a symbolic link, where it points.
    mode : int
        As git writes it: 0o100644, 0o100755 if it can be run, 0o120000 for a symbolic link.
    """

    data: bytes
    mode: int = 0o100644


Files = dict[str, File]
"""Files by their path in the course's folder, with forward slashes."""


def read_folder(folder: Path) -> Files:
    """Return the course's files in a folder, by their path in it."""
    skip = ignored(folder)
    files = {}
    for place, folders, found in os.walk(folder):
        left_out = skip(place, [*folders, *found])
        links = [name for name in folders if (Path(place) / name).is_symlink()]
        folders[:] = [name for name in folders if name not in left_out and name not in links]
        for name in {*found, *links} - left_out:
            path = Path(place) / name
            files[path.relative_to(folder).as_posix()] = read_file(path)
    return files


def ignored(folder: Path) -> Callable[[str, list[str]], set[str]]:
    """Return a function, for `shutil.copytree`, that tells what in a folder is no part of the course."""
    rules = folder / ".gitignore"
    lines = rules.read_text(encoding="utf-8", errors="replace").split() if rules.exists() else []
    by_name = shutil.ignore_patterns(*_NEVER, *(line.strip("/") for line in lines))
    state = machine.state_dir()

    def skip(place: str, names: list[str]) -> set[str]:
        return by_name(place, names) | {name for name in names if Path(place) / name == state}

    return skip


def read_file(path: Path) -> File:
    """Return what a file holds, byte for byte; of a symbolic link, where it points."""
    if path.is_symlink():
        return File(os.fsencode(path.readlink()), 0o120000)
    runs = path.stat().st_mode & stat.S_IXUSR
    return File(path.read_bytes(), 0o100755 if runs else 0o100644)


def write_file(path: Path, file: File) -> None:
    """Replace a file as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name[:100]}.{os.getpid()}")
    if file.mode == 0o120000:
        draft.symlink_to(os.fsdecode(file.data))
    else:
        draft.write_bytes(file.data)
        if file.mode == 0o100755:
            draft.chmod(draft.stat().st_mode | 0o111)
    draft.replace(path)


def present(paths: Iterable[str]) -> Files:
    """Return those of the paths in the course's folder that are files."""
    places = {path: machine.ROOT / path for path in paths}
    return {path: read_file(place) for path, place in places.items() if is_file(place)}


def is_file(path: Path) -> bool:
    """Return whether something is a file or a symbolic link, whatever that points to."""
    return path.is_symlink() or path.is_file()


def remove(path: str) -> None:
    """Remove a file from the course's folder, and folders that are empty then."""
    place = machine.ROOT / path
    place.unlink(missing_ok=True)
    for folder in place.relative_to(machine.ROOT).parents:
        try:
            (machine.ROOT / folder).rmdir()
        except OSError:
            return


def is_courses_own(path: str) -> bool:
    """Return whether a file is in a folder where a starter has no others than its own."""
    return path.startswith(("workshop/", "notebooks/", "tests/"))
