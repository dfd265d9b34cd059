"""Notices saved changes in the course's code, and files that do not compile."""

from collections.abc import AsyncIterator
from pathlib import Path

import psutil
from watchfiles import Change, awatch

from workshop.machine import ROOT

CODE = ROOT / "workshop"

_FROM_ELSEWHERE = ("9p", "cifs", "drvfs", "fakeowner", "fuse", "grpcfuse", "nfs", "smb", "vboxsf", "virtiofs")
"""Kinds of file systems that Docker Desktop, WSL2 and virtual machines mount folders of the host with."""


async def code_changes() -> AsyncIterator[str]:
    """Yield, whenever Python files of the course were saved, the name of one of them."""
    async for found in awatch(CODE, watch_filter=_is_code, force_polling=_must_poll(CODE)):
        yield Path(min(path for _, path in found)).name


async def settings_changes(state: Path) -> AsyncIterator[str]:
    """Yield the name of a settings file in the state folder whenever it was written or removed."""
    async for found in awatch(state, watch_filter=_is_settings, recursive=False, step=50):
        yield Path(min(path for _, path in found)).name


def _must_poll(folder: Path) -> bool | None:
    """Return True where the kernel hears nothing of changes, as they are made on another system; else None.

    None leaves the choice to watchfiles, which follows ``WATCHFILES_FORCE_POLLING``.
    """
    mounts = {Path(each.mountpoint): each.fstype for each in psutil.disk_partitions(all=True)}
    nearest = next((mounts[each] for each in (folder, *folder.parents) if each in mounts), "")
    return True if nearest.startswith(_FROM_ELSEWHERE) else None


def syntax_error() -> str | None:
    """Return what does not compile in the course's code: file, line and reason; None if all does."""
    for path in sorted(CODE.rglob("*.py")):
        if not _is_code(Change.modified, str(path)):
            continue
        try:
            compile(path.read_bytes(), str(path), "exec")
        except SyntaxError as error:
            return f"{path.relative_to(ROOT)}, line {error.lineno}: {error.msg}"
        except (OSError, ValueError) as error:
            return f"{path.relative_to(ROOT)}: {error}"
    return None


def _is_code(change: Change, path: str) -> bool:
    inside = Path(path).relative_to(CODE)
    return inside.suffix == ".py" and not any(part.startswith((".", "__pycache__")) for part in inside.parts)


def _is_settings(change: Change, path: str) -> bool:
    return Path(path).name in ("settings.json", "joined.json")
