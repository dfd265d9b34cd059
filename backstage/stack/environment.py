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
    "HOME": "where a person's files are",
    "USER": "who the person is, for the terminal in JupyterLab",
    "LOGNAME": "the same, on other systems",
    "SHELL": "the terminal's program in JupyterLab",
    "TERM": "what a terminal can show",
    "COLORTERM": "the same",
    "LANG*": "the language of messages",
    "LC_*": "letters and numbers",
    "TZ": "the time zone of logs",
    "TMP*": "where temporary files go",
    "TEMP": "the same, on Windows",
    "XDG_STATE_HOME": "where the state folder is if the course's folder keeps no permissions",
    "XDG_RUNTIME_DIR": "where desktop programs meet",
    "*DISPLAY": "the screen, on which a browser opens",
    "XAUTHORITY": "lets a program use the screen",
    "SSH_AUTH_SOCK": "lets git push from JupyterLab's terminal",
    "GIT_ASKPASS": "the same",
    "GIT_SSH*": "the same",
    "GIT_CONFIG*": "git's own settings",
    "*_proxy": "the way to the internet, for pip in a notebook",
    "*_PROXY": "the same",
    "SSL_CERT_*": "certificates that a company's network needs",
    "*_CA_BUNDLE": "the same",
    "PYTHONNOUSERSITE": "leaves out what the person installed for all projects",
    "PYTHONDONTWRITEBYTECODE": "keeps containers from writing into the course's folder",
    "PYTHONUNBUFFERED": "shows in a container's log at once what a program says",
    "PYTHONUTF8": "letters",
    "WORKSHOP_*": "the course's own settings",
    "CONDA_PREFIX": "where conda's PostgreSQL and RabbitMQ are",
    "BINDER_*": "says that this is Binder",
    "JUPYTERHUB_*": "says where a hub shows JupyterLab",
    "CODESPACE*": "says that this is a codespace, and which one",
    "GITHUB_TOKEN": "lets git push from there",
    "GITHUB_CODESPACES_PORT_FORWARDING_DOMAIN": "where its pages are",
    "MALLOC_ARENA_MAX": "saves memory where it is short, as on Binder",
    "OPENBLAS_*": "numpy's choice of arithmetic for this processor",
    "SYSTEMROOT": "without it no program starts on Windows",
    "USERPROFILE": "HOME, on Windows",
    "*APPDATA": "where programs keep files, on Windows",
    "PATHEXT": "which files are programs, on Windows",
    "COMSPEC": "the shell, on Windows",
}
"""Each variable that a child gets if the person has it, by name or pattern, with the reason."""

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
    return any(fnmatchcase(name, pattern) for pattern in ALLOWED)
