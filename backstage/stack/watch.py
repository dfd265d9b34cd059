"""Notices saved changes in the course's code, and files that do not compile."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
from watchfiles import Change, awatch

from workshop.state_folder import ROOT

CODE = ROOT / "workshop"

_AGAIN = 1
"""Seconds until the files are looked at again after an error."""

_FROM_ELSEWHERE = ("9p", "cifs", "drvfs", "fakeowner", "fuse", "grpcfuse", "nfs", "smb", "vboxsf", "virtiofs")
"""Kinds of file systems that Docker Desktop, WSL2 and virtual machines mount folders of the host with."""


async def code_changes(tell: Callable[[str], None]) -> AsyncIterator[str]:
    """Yield, whenever Python files of the course were saved, the name of one of them.

    Parameters
    ----------
    tell : callable
        Called once with the reason, if the kernel does not report changes. The files are looked at then.
    """
    polling, told = _must_poll(CODE), False
    while True:
        try:
            async for found in awatch(CODE, watch_filter=_is_code, force_polling=polling):
                CODE.stat()  # nothing more is told of a folder that was removed, even once it is back
                yield Path(min(path for _, path in found)).name
        except Exception as error:  # watchfiles has errors of its own, beside those of the system
            if not told:
                tell(f"saved files are noticed a little later: {error}")
            if polling:
                await asyncio.sleep(_AGAIN)
            polling = told = True


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
    if change is Change.deleted and path == str(CODE):
        return True
    inside = Path(path).relative_to(CODE)
    return inside.suffix == ".py" and not any(part.startswith((".", "__pycache__")) for part in inside.parts)
