"""What keeps files from being saved or replaced: found before anything is changed."""

import os
from collections.abc import Iterable

from workshop.errors import WorkshopError
from workshop.state_folder import ROOT


def check(paths: Iterable[str]) -> None:
    """Require that files in the course's folder can be read and replaced.

    Raises
    ------
    WorkshopError
        If not.
    """
    for path in paths:
        place = ROOT / path
        if place.is_file() and not place.is_symlink() and not os.access(place, os.R_OK):
            raise _refusal(path, "read")
        folder = next(parent for parent in place.parents if parent.is_dir())
        if not os.access(folder, os.W_OK | os.X_OK):
            raise _refusal(path, "replaced")


def _refusal(path: str, what: str) -> WorkshopError:
    return WorkshopError(
        f"{path} can't be {what}: this user has no permission to. Nothing was changed.\n"
        f"Next: sudo chown -R $(id -u) '{ROOT}'; chmod -R u+rwX '{ROOT}'"
    )
