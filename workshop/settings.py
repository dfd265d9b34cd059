"""Where the broker and the database are, and the few numbers that change how the course behaves.

Every function looks when it is asked, not at import, so that a running notebook follows a change.
The first source that has a value wins:

1. ``joined.json``: this machine joined a central queue (challenge 3);
2. ``settings.json``: a notebook cell changed a value with `change`;
3. the environment: ``WORKSHOP_BROKER_URL``, ``WORKSHOP_DATABASE_URL``, ``WORKSHOP_FAULT_RATE``, ...;
4. ``stack.json``: the services that ``workshop up`` started on this machine;
5. the defaults below.

The files are in the folder `state_dir`, usually ``.workshop`` beside the notebooks.
"""

import json
import os
import time
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
"""The folder of the course."""

DEFAULTS = {
    "broker_url": "amqp://celery_user:secret@localhost:5672/celery_app",
    "database_url": "postgresql+psycopg://geopython:geopython@localhost:5432/geopython-db",
    "fault_rate": 0.0,
    "pace": 0,
    "seed": None,
}


def broker_url() -> str:
    """Return the address of RabbitMQ, such as ``amqp://user:password@host:port/virtual_host``."""
    return str(get("broker_url"))


def database_url() -> str:
    """Return the address of PostGIS, as SQLAlchemy writes it."""
    return str(get("database_url"))


def fault_rate() -> float:
    """Return the share of attempts that meet the artificial fault: 0 never, 0.1 one in ten."""
    return float(get("fault_rate"))


def pace() -> float:
    """Return the milliseconds that each task waits, as if it called a service far away."""
    return float(get("pace"))


def seed() -> int | None:
    """Return the seed of the random points, or None for different points each time."""
    value = get("seed")
    return None if value is None else int(value)


def get(name: str) -> Any:
    """Return the value of a setting from the first source that has one."""
    from_environment = {name: os.environ.get(f"WORKSHOP_{name.upper()}") or None}
    for source in (read("joined.json"), read("settings.json"), from_environment, read("stack.json")):
        if source.get(name) is not None:
            return source[name]
    return DEFAULTS.get(name)


def change(**values: Any) -> None:
    """Change settings for every worker and notebook of this machine, at once and until changed again.

    Parameters
    ----------
    **values
        Settings by name, such as ``fault_rate=0.1`` or ``pace=20``; None takes a change back.
    """
    write("settings.json", read("settings.json") | values)


def read(name: str) -> dict[str, Any]:
    """Return the content of a JSON file in the state folder; empty where there is none."""
    path = state_dir() / name
    try:
        found = path.stat()
        return _parse(path, found.st_mtime_ns, found.st_ino)
    except FileNotFoundError:
        return {}


def write(name: str, content: dict[str, Any]) -> None:
    """Replace a JSON file in the state folder as a whole; only this user can read it."""
    path = state_dir() / name
    draft = path.with_name(f".{name}.{os.getpid()}")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(content, indent=1), encoding="utf-8")
    # Two writes within one tick of the file system's clock would look the same to `read`.
    os.utime(draft, ns=(now := time.time_ns(), now))
    draft.replace(path)


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
    return folder.stat().st_mode & 0o077 == 0 and os.access(folder, os.W_OK)


@lru_cache(maxsize=16)
def _parse(path: Path, changed: int, inode: int) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))
