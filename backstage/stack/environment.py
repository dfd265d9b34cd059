"""What a program that the course starts is told: an environment built from a list, not from the person's own.

Laptops are full of other projects' variables, and Celery, libpq, Flower, Jupyter, Erlang and Python read
many. What is not in `ALLOWED` reaches no child.
"""

import os
from collections.abc import Mapping
from fnmatch import fnmatchcase

from workshop import state_folder

ALLOWED = {
    "PATH": "where programs are",
    "HOME USERPROFILE": "where a person's files are",
    "USER LOGNAME": "who the person is, for the terminal in JupyterLab",
    "SHELL": "the terminal's program in JupyterLab",
    "TERM COLORTERM": "what a terminal can show",
    "LANG* LC_* PYTHONUTF8": "the language of messages, letters and numbers",
    "TZ": "the time zone of logs",
    "TMP* TEMP": "where temporary files go",
    "XDG_STATE_HOME": "where the state folder is if the course's folder keeps no permissions",
    "*DISPLAY XAUTHORITY XDG_RUNTIME_DIR": "the screen, on which a browser opens",
    "SSH_AUTH_SOCK GIT_ASKPASS GIT_SSH* GIT_CONFIG* GITHUB_TOKEN": "git push from JupyterLab's terminal",
    "*_proxy *_PROXY": "the way to the internet, for pip in a notebook",
    "SSL_CERT_* *_CA_BUNDLE": "certificates that a company's network needs",
    "PYTHONNOUSERSITE": "leaves out what the person installed for all projects",
    "PYTHONDONTWRITEBYTECODE": "keeps containers from writing into the course's folder",
    "PYTHONUNBUFFERED": "shows in a container's log at once what a program says",
    "WORKSHOP_*": "the course's own settings",
    "CONDA_PREFIX": "where conda's PostgreSQL and RabbitMQ are",
    "BINDER_* JUPYTERHUB_*": "that this is Binder, and where a hub shows JupyterLab",
    "CODESPACE* GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "which codespace this is, and where its pages are",
    "MALLOC_ARENA_MAX": "saves memory where it is short, as on Binder",
    "OPENBLAS_*": "numpy's choice of arithmetic for this processor",
    "SYSTEMROOT *APPDATA PATHEXT COMSPEC": "what programs on Windows start with",
}
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
