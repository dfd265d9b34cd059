"""What a program that the course starts is told: an environment built from a list, not from the person's own.

Laptops are full of other projects' variables, and Celery, libpq, Flower, Jupyter, Erlang and Python read
many. What is not in `ALLOWED` reaches no child.
"""

import os
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from workshop import state_folder

ALLOWED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
"""The variables that a child gets if the person has them, by name or pattern, with the reason."""

LOOPBACK = "127.0.0.1,localhost,::1"
"""What no proxy may see: the course's own services, and their passwords."""


def of_child(own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the whole environment of a program that the course starts.

    Parameters
    ----------
    own : mapping of str to str, optional
        What this program is told besides.

    Returns
    -------
    dict of str to str
        What `ALLOWED` lets through of this process's environment, then the course's own, then `own`.
    """
    inherited = {name: value for name, value in os.environ.items() if is_allowed(name)}
    state = state_folder.state_dir()
    own_exceptions = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    if "WORKSHOP_STATE" in inherited:  # perhaps relative, and a program may run in another folder
        inherited["WORKSHOP_STATE"] = str(state)
    unproxied = f"{own_exceptions},{LOOPBACK}" if own_exceptions else LOOPBACK
    return {
        **inherited,
        "no_proxy": unproxied,
        "NO_PROXY": unproxied,
        "PYTHONNOUSERSITE": "1",
        "PGPASSFILE": str(state / "no.pgpass"),
        "IPYTHONDIR": str(state / "ipython"),
        "JUPYTER_CONFIG_DIR": str(state / "jupyter"),
        "JUPYTER_DATA_DIR": str(state / "jupyter" / "data"),
        **(own or {}),
    }


def is_allowed(name: str) -> bool:
    """Return whether a variable reaches the programs that the course starts."""
    return any(fnmatchcase(name, pattern) for names in ALLOWED for pattern in names.split())
