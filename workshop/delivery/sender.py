"""Who sends tasks here: which cell of which notebook, or which script.

By that the record of publishes tells runs apart: a run is whatever one cell sends while it is run once, or
one process without cells.
"""

import os
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from uuid import uuid4

PROCESS = uuid4().hex[:8]
"""The part of a run's name that says which process it belongs to."""

STARTED = datetime.now(UTC).isoformat(timespec="milliseconds")
"""When this process began to be able to send tasks (UTC, ISO 8601)."""


def shell() -> Any:
    """Return the notebook's, or the terminal's, IPython; None where there is none."""
    ipython = sys.modules.get("IPython")
    return ipython.get_ipython() if ipython else None


_cells = 1 if shell() else 0


def begin_cell(_: Any) -> None:
    """Begin a run: whatever this cell sends."""
    global _cells
    _cells += 1


def in_notebook() -> bool:
    """Return whether this process runs a notebook's cells."""
    return _cells > 0


def this_run() -> str:
    """Return the name of the run that publishes now: of this cell in a notebook, else of this process."""
    return f"{PROCESS}-{_cells}" if _cells else PROCESS


def source() -> str:
    """Return what sends tasks here: a notebook such as ``01-enqueue``, or a script such as ``demo``."""
    named = os.environ.get("WORKSHOP_SOURCE") or os.environ.get("JPY_SESSION_NAME")
    return _stem(named or ("notebook" if _cells else sys.argv[0]))


@cache
def _stem(path: str) -> str:
    return Path(path).stem
