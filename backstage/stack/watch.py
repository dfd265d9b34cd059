"""Notices saved changes in the course's code, and files that do not compile.

The files are looked at, everywhere in the same way: not every kernel reports changes, as on folders that
Docker Desktop, WSL2 and virtual machines mount, or may watch so many files. The library watchfiles can look
too, but sees whole seconds only: of two saves within one second it misses the later.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from workshop.state_folder import ROOT

CODE = ROOT / "workshop"


def saved() -> dict[Path, tuple[int, int]]:
    """Return when each file was saved, and how long it is."""
    found = {}
    for path in _files():
        with suppress(OSError):  # it was replaced just now
            found[path] = (path.stat().st_mtime_ns, path.stat().st_size)
    return found


def _files() -> Iterator[Path]:
    """Yield the Python files of the program, without editors' drafts and JupyterLab's checkpoints."""
    for path in CODE.rglob("*.py"):
        if not any(part.startswith(".") for part in path.relative_to(CODE).parts):
            yield path


def syntax_error() -> str | None:
    """Return what does not compile in the course's code: file, line and reason; None if all does."""
    for path in sorted(_files()):
        try:
            compile(path.read_bytes(), str(path), "exec")
        except SyntaxError as error:
            return f"{path.relative_to(ROOT)}, line {error.lineno}: {error.msg}"
        except (OSError, ValueError) as error:
            return f"{path.relative_to(ROOT)}: {error}"
    return None
