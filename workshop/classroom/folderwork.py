"""A person's own work where git is not in use: what differs from the fresh copy, kept in ``my-work``."""

import os
from datetime import datetime
from functools import cache

from workshop.challenges import source
from workshop.challenges.files import (
    Files,
    is_courses_own,
    is_file,
    present,
    read_file,
    read_folder,
    remove,
    write_file,
)
from workshop.challenges.starters import Level, course
from workshop.classroom.obstacles import check
from workshop.machine import ROOT

_KEPT = ROOT / "my-work"


class FolderWork:
    """The work in this folder, and the folders that keep such work."""

    def refuse_if_stuck(self) -> None:
        """Refuse where files can't be read or replaced.

        Raises
        ------
        workshop.classroom.obstacles.Refused
            If so.
        """
        check(_fresh())

    def changed(self) -> list[str]:
        """Return the files that differ from the course as it is without this work."""
        fresh, now = _fresh(), read_folder(ROOT)
        return sorted(path for path in fresh.keys() | now.keys() if fresh.get(path) != now.get(path))

    since_starter = changed

    def in_the_way(self, level: Level) -> list[str]:
        """Return the ignored files that stand where the starter has one: the course has none such."""
        return []

    def replaced(self, level: Level) -> list[str]:
        """Return the files that are another, or gone, once the starter of a level is in place."""
        target, now = _course(level), read_folder(ROOT)
        others = {path for path in now.keys() - target.keys() if is_courses_own(path)}
        return sorted({path for path, file in target.items() if now.get(path) != file} | others)

    def put(self, level: Level) -> None:
        """Put a starter in place. Everything must be saved."""
        target = _course(level)
        for path in self.replaced(level):
            if path not in target:
                remove(path)
        for path in self.replaced(level):
            write_file(ROOT / path, target[path])

    def save(self, stem: str, also: list[str] | None = None) -> str:
        """Copy what differs to a new folder and return its name."""
        name = first = f"my-work/{stem}-{datetime.now():%Y%m%d-%H%M%S}"
        number = 1
        while (ROOT / name).exists():
            number += 1
            name = f"{first}-{number}"
        draft = _KEPT / f".draft.{os.getpid()}"
        draft.mkdir(parents=True)
        for path, file in present(self.changed()).items():
            write_file(draft / path, file)
        draft.rename(ROOT / name)
        return name

    def save_commits(self, level: Level) -> list[str]:
        """Without git there are no commits."""
        return []

    def saved(self) -> list[str]:
        """Return the names of saved work, newest first."""
        found = [path for path in _KEPT.glob("[!.]*") if path.is_dir()]
        return [f"my-work/{path.name}" for path in sorted(found, key=lambda path: -path.stat().st_mtime)]

    def read(self, name: str) -> tuple[Files, list[str]]:
        """Return the files of saved work; files that it had no more can't be told from others."""
        folder = ROOT / name
        places = [path for path in folder.rglob("*") if is_file(path)]
        return {place.relative_to(folder).as_posix(): read_file(place) for place in places}, []


def _fresh() -> Files:
    """Return the course's files as they were brought to the level that is here."""
    here = source.challenge_here()
    if not here:
        return source.find().marked()
    return _course(Level(here["challenge"], here.get("solved", False)))


@cache
def _course(level: Level) -> Files:
    return course(source.find().marked(), level)
