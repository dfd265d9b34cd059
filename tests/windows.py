"""Plays Windows to the course's own code: ``pytest -p tests.windows tests/unit``.

Libraries keep what they need: only code of the course is refused what Windows lacks. Paths, line ends and
encodings stay those of this machine.
"""

import builtins
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType

MODULES = {"fcntl", "grp", "posix", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty"}
"""Modules of the standard library that Windows lacks."""

NAMES = {
    os: (
        *(
            "chown",
            "fchmod",
            "fchown",
            "fork",
            "forkpty",
            "getegid",
            "geteuid",
            "getgid",
            "getpgid",
            "getuid",
        ),
        *("killpg", "lchown", "mkfifo", "openpty", "setsid", "statvfs", "sysconf", "uname", "wait3", "wait4"),
        *("O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "WNOHANG"),
    ),
    signal: (
        "SIGALRM",
        "SIGCHLD",
        "SIGCONT",
        "SIGHUP",
        "SIGKILL",
        "SIGQUIT",
        "SIGSTOP",
        "SIGUSR1",
        "SIGUSR2",
    ),
}
"""What other modules lack there."""

OURS = ("workshop", "tests", "benchmarks")


class Lacking(ModuleType):
    """A module as the course's own code sees it."""

    def __init__(self, true: ModuleType) -> None:
        super().__init__(true.__name__, true.__doc__)
        kept = {name: value for name, value in vars(true).items() if name not in NAMES[true]}
        self.__dict__.update(kept)


_true_import = builtins.__import__
_LACKING = {module.__name__: Lacking(module) for module in NAMES}


def _import(
    name: str,
    globals: Mapping[str, object] | None = None,
    locals: Mapping[str, object] | None = None,
    fromlist: Sequence[str] | None = (),
    level: int = 0,
) -> ModuleType:
    importer = str((globals or {}).get("__name__", ""))
    if level or importer.partition(".")[0] not in OURS:
        return _true_import(name, globals, locals, fromlist, level)
    if name in MODULES:
        raise ModuleNotFoundError(f"No module named {name!r} on Windows, and {importer} wants it", name=name)
    return _LACKING.get(name) or _true_import(name, globals, locals, fromlist, level)


def pretend() -> None:
    """Begin; modules of the course that are imported later believe it."""
    import workshop.machine

    workshop.machine.WINDOWS = True
    for name in [name for name in sys.modules if name.startswith("workshop.") and name != "workshop.machine"]:
        del sys.modules[name]
    builtins.__import__ = _import


pretend()
