"""Small JSON files that several processes and threads read and change at the same time."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from copy import deepcopy
from functools import lru_cache
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from workshop.errors import WorkshopError


def read(path: Path) -> dict[str, Any]:
    """Return the content of a file, for the caller to keep or change.

    It is empty where there is no file, or one that came with a copied folder, see
    `workshop.state_folder.here`.

    Raises
    ------
    WorkshopError
        If it is no JSON.
    """
    return deepcopy(_content(path))


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file as a whole, or not at all; only this user can read it.

    Parameters
    ----------
    path : pathlib.Path
        The file.
    content : mapping
        What it is to hold.
    """
    text = json.dumps(content, indent=1)
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.draft-")  # private, and no other writer's
    draft = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # Two writes within one tick of the file system's clock would look the same to `read`.
        os.utime(draft, ns=(now := time.time_ns(), now))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def changing(path: Path) -> AbstractContextManager[Any]:
    """Return a lock on a file that several want to change, for a `with`; it is beside the file.

    The kernel ends it when this process ends, however that is.
    """
    from filelock import FileLock  # a Python without the packages gets as far as this module

    return FileLock(path.with_suffix(".lock"), fallback_to_soft=False)


def _content(path: Path) -> dict[str, Any]:
    try:
        found = path.stat()
        return _parse(path, found.st_mtime_ns, found.st_ino)
    except FileNotFoundError:
        return {}


@lru_cache(maxsize=16)
def _parse(path: Path, changed: int, inode: int) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        step = "move it away, then workshop down and workshop up"
        raise WorkshopError(f"The file {path} is damaged ({error}).", step) from error
    return content if content.get("folder") in (None, path.parent.stat().st_ino) else {}
