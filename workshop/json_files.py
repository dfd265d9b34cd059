"""Small JSON files that several processes and threads read and change at the same time."""

import json
import os
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from tempfile import mkstemp
from typing import Any

from workshop.errors import WorkshopError


def read(path: Path) -> dict[str, Any]:
    """Return the content of a file.

    It is empty where there is no file, or one that came with a copied folder, see
    `workshop.state_folder.here`.

    Raises
    ------
    WorkshopError
        If it is no JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        step = "move it away, then workshop down and workshop up"
        raise WorkshopError(f"The file {path} is damaged ({error}).", step) from error
    return content if content.get("folder") in (None, path.parent.stat().st_ino) else {}


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
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def changing(path: Path) -> AbstractContextManager[Any]:
    """Return a lock on a file that several want to change, for a `with`; it is beside the file.

    The kernel ends it when this process ends, however that is.
    """
    from filelock import FileLock  # a Python without the packages gets as far as this module

    return FileLock(path.with_suffix(".lock"), fallback_to_soft=False)
