"""Notices saved changes in the course's code, and files that do not compile."""

from collections.abc import AsyncIterator
from pathlib import Path

from watchfiles import Change, awatch

from workshop.state_folder import ROOT

CODE = ROOT / "workshop"


async def code_changes() -> AsyncIterator[str]:
    """Yield, whenever Python files of the course were saved, the name of one of them.

    The files are looked at: not every kernel reports changes, as on folders that Docker Desktop, WSL2 and
    virtual machines mount, or may watch so many files.
    """
    async for found in awatch(CODE, watch_filter=_is_code, force_polling=True):
        yield Path(min(path for _, path in found)).name


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
