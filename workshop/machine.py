"""The folder where the course keeps what belongs to this machine, and the small JSON files in it."""

import json
import os
import time
from contextlib import suppress
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the course."""

WINDOWS = os.name == "nt"
"""Whether this is Windows itself. Notebooks and checks can be read there; the services can't run."""

CHALLENGE = ROOT / "workshop" / "challenge.json"
"""What the starter of a challenge says of itself; the solved course has no such file."""


def read(name: str) -> dict[str, Any]:
    """Return the content of a JSON file in the state folder; empty where there is none."""
    return read_json(state_dir() / name)


def read_json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file; empty where there is none, or where it came with a copied folder."""
    try:
        found = path.stat()
        return _parse(path, found.st_mtime_ns, found.st_ino)
    except FileNotFoundError:
        return {}


def services() -> dict[str, Any]:
    """Return how each service of this machine said to be last, by name; empty where none was started."""
    found = [read(file.name).get("services", {}) for file in state_dir().glob("stack*.json")]
    return {name: service for each in found for name, service in each.items()}


def write(name: str, content: dict[str, Any], replace: bool = True) -> None:
    """Write a JSON file in the state folder as a whole; only this user can read it.

    Parameters
    ----------
    name : str
        Its name, or its path below the state folder.
    content : dict
        What it is to hold.
    replace : bool
        Whether to replace a file that is there; if not, the first one to write it wins.
    """
    path = state_dir() / name
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    # Two writes within one tick of the file system's clock would look the same to `read`.
    os.utime(draft, ns=(now := time.time_ns(), now))
    if replace:
        draft.replace(path)
        return
    with suppress(FileExistsError):
        path.hardlink_to(draft)
    draft.unlink()


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
    """
    return _state_dir(os.environ.get("WORKSHOP_STATE"))


@cache
def _state_dir(wanted: str | None) -> Path:
    if _keeps_permissions(near := Path(wanted or ROOT / ".workshop").expanduser().absolute()):
        return near
    home = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    far = home / "workshop" / sha256(str(near).encode()).hexdigest()[:12]
    if not _keeps_permissions(far):
        raise OSError(f"Neither {near} nor {far} can hold this course's data. Set WORKSHOP_STATE to a folder")
    return far


def _keeps_permissions(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError:
        return False
    private = WINDOWS or folder.stat().st_mode & 0o077 == 0  # Windows has other means for that
    return private and os.access(folder, os.W_OK)


@lru_cache(maxsize=16)
def _parse(path: Path, changed: int, inode: int) -> dict[str, Any]:
    content = json.loads(path.read_text(encoding="utf-8"))
    return content if content.get("folder") in (None, path.parent.stat().st_ino) else {}
