"""The state folder, where the course keeps what belongs to this machine, and the small JSON files in it."""

import os
import tomllib
from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from workshop import json_files
from workshop.errors import WorkshopError

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the course."""

WINDOWS = os.name == "nt"
"""Whether this is Windows itself. Notebooks and checks can be read there; the services can't run."""

CHALLENGE = ROOT / "workshop" / "challenge.json"
"""What the starter of a challenge says of itself; the solved course has no such file."""

MARK = "made-by-the-course"


def read(name: str) -> dict[str, Any]:
    """Return the content of a JSON file in the state folder; empty where there is none."""
    return json_files.read(state_dir() / name)


def write(name: str, content: Mapping[str, Any]) -> None:
    """Write a JSON file in the state folder as a whole; only this user can read it.

    Parameters
    ----------
    name : str
        Its name, or its path below the state folder.
    content : mapping
        What it is to hold.
    """
    json_files.write(state_dir() / name, content)


def services() -> dict[str, Any]:
    """Return how each service of this machine said to be last, by name; empty where none was started."""
    return read("stack.json").get("services", {})


def files() -> dict[str, str]:
    """Return what the course writes into a state folder, by name or pattern, and what each is for.

    A folder's name ends in a slash.
    """
    return tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))


def here() -> dict[str, int]:
    """Return what ties a JSON file to this state folder: in a copy of the folder it counts for nothing.

    It is the folder's number on its disk, which stays when the folder is moved or renamed.
    """
    return {"folder": state_dir().stat().st_ino}


def state_dir() -> Path:
    """Return the folder where the course keeps logs, data and settings of this machine.

    It is ``WORKSHOP_STATE`` where that is set, else ``.workshop`` in the course's folder. Some folders
    (shared drives, Windows drives under WSL) ignore permissions, and PostgreSQL refuses to keep data
    there: then it is a folder of this course's own in the user's state directory.

    Raises
    ------
    WorkshopError
        If it is a folder with files that are not the course's, which stays as it is; or if none will do.
    """
    return _state_dir(os.environ.get("WORKSHOP_STATE"))


def claim(folder: Path) -> None:
    """Make a folder this course's own: only this user can look into it, and it has the mark.

    Parameters
    ----------
    folder : pathlib.Path
        A folder that is known to be the course's, or its to take; it need not exist.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if not (folder / MARK).exists():
        (folder / MARK).touch(mode=0o600)


@cache
def _state_dir(wanted: str | None) -> Path:
    near = Path(wanted or ROOT / ".workshop").expanduser().absolute()
    if near.is_file():
        raise WorkshopError(f"{near} is a file.", "set WORKSHOP_STATE to a folder that does not exist yet")
    if wanted and (other := _of_others(near)):
        raise WorkshopError(
            f"WORKSHOP_STATE is {wanted!r}, and this folder is not the course's: it holds {other!r}. "
            "It was left as it is.",
            "set it to a folder that does not exist yet, or is empty",
        )
    if _keeps_permissions(near):
        return near
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    far = home / "workshop" / sha256(str(near).encode()).hexdigest()[:12]
    if not _keeps_permissions(far):
        raise WorkshopError(
            f"Neither {near} nor {far} can hold this course's data.",
            "set WORKSHOP_STATE to a folder of yours that does not exist yet, or is empty",
        )
    return far


def _of_others(folder: Path) -> str:
    """Return the name of a file in a folder that the course did not make; empty if it may have it."""
    try:
        names = sorted(path.name for path in folder.iterdir())
    except OSError:  # there is none; or it is none, which shows when it is to be claimed
        return ""
    return "" if not names or MARK in names else names[0]


def _keeps_permissions(folder: Path) -> bool:
    try:
        claim(folder)
    except OSError:
        return False
    private = WINDOWS or folder.stat().st_mode & 0o077 == 0  # Windows has other means for that
    return private and os.access(folder, os.W_OK)
