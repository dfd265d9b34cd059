"""A machine unlike others: in a namespace of its own, with a small disk, or refused a system call."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import disk_usage
from threading import Event, Thread

from tests.conftest import wait_for
from tests.integration.machine import Machine


@dataclass
class OddMachine(Machine):
    """A machine whose commands run behind others, such as ``unshare``.

    Attributes
    ----------
    before : tuple of str
        What goes before each command.
    first : callable, optional
        Runs in each new process before its program.
    root : Path
        Where the files are that its processes see.
    """

    before: tuple[str, ...] = ()
    first: Callable[[], None] | None = None
    root: Path = Path("/")

    @property
    def files(self) -> Path:
        """The state folder, as this process reaches it."""
        return self.root / self.state.relative_to("/")

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.before, sys.executable, "-m", "backstage", *arguments],
            env=self.environment | environment,
            cwd=self.course,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=self.first,
        )

    def stack(self) -> dict:
        return Machine(self.files).stack()


@contextmanager
def small_disk(state: Path, megabytes: int, course: Path, *also: str) -> Iterator[OddMachine]:
    """Yield a machine whose state folder is a disk of that size; `also` are commands that prepare it."""
    state.mkdir()
    prepare = " && ".join((f'mount -t tmpfs -o size={megabytes}m none "$0"', *also, "echo ready", "exec cat"))
    with subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", prepare, str(state)],
        cwd=course,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as holder:
        assert holder.stdout and holder.stdout.readline() == "ready\n"
        enter = (
            "nsenter",
            f"--target={holder.pid}",
            "--user",
            "--mount",
            "--wd",
            "--preserve-credentials",
            "--",
            *(
                "unshare",
                "--user",
                "--map-user=1",
                "--map-group=1",
                "--",
            ),  # root there could become nobody else
        )
        machine = OddMachine(state, course, before=enter, root=Path(f"/proc/{holder.pid}/root"))
        try:
            yield machine
        finally:
            machine.workshop("down", "--purge")
            holder.communicate()


@contextmanager
def filled(folder: Path) -> Iterator[None]:
    """Keep a disk full, whatever is removed from it, and make room at the end."""
    path, end = folder / "fill", Event()

    def fill() -> None:
        with path.open("wb", buffering=0) as file:
            while not end.wait(0.001):
                for size in (1_000_000, 4096):
                    with suppress(OSError):
                        while True:
                            file.write(bytes(size))

    filling = Thread(target=fill)
    filling.start()
    try:
        wait_for(lambda: disk_usage(folder).free == 0, 20, "a full disk")
        yield
    finally:
        end.set()
        filling.join()
        path.unlink()


IS_ROOT = os.geteuid() == 0

NAMELESS = ("unshare", "--user", "--map-user=54321", "--map-group=54321")

ROOT_ALONE = ("unshare", "--user", "--map-root-user")
"""Root, and no other user."""

_ONCE_MORE = 'echo 1 > /proc/sys/user/max_user_namespaces; exec "$@"'
NAMELESS_ALONE = (*ROOT_ALONE, "sh", "-c", _ONCE_MORE, "sh", *NAMELESS)
"""A user without a name, who may make no further namespace."""
