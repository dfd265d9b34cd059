"""Starting and ending one program, so that it never outlives the stack."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

import psutil

from backstage.stack import containers, environment, logs
from backstage.stack.service import Service
from backstage.stack.site import Site
from workshop.state_folder import ROOT

_LINUX = sys.platform == "linux"
_libc = ctypes.CDLL(None, use_errno=True) if _LINUX else None
_PR_SET_PDEATHSIG = 1


def spawn(service: Service, site: Site) -> subprocess.Popen[bytes]:
    """Start a service's program in a session of its own, with its output in its log.

    On Linux the kernel stops it when this process ends, however that ends. Call it from the main
    thread: the kernel watches the thread that started the program.
    """
    log = site.log(service.name)
    logs.begin(log)
    with _output(log) as output:
        return subprocess.Popen(
            service.command(site),
            cwd=ROOT,
            env=environment.of_child(service.environment(site)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(service.stop_signal),
        )


@contextmanager
def _output(log: Path) -> Iterator[IO[bytes]]:
    """Yield where a program writes: into its log, and in a container for ``docker compose logs`` too."""
    if not containers.inside():
        with log.open("ab") as file:
            yield file
        return
    tee = subprocess.Popen(
        ["tee", "--append", str(log)],
        env=environment.of_child(),
        stdin=subprocess.PIPE,
        start_new_session=True,
    )
    assert tee.stdin
    with tee.stdin as pipe:
        yield pipe


def _end_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    libc = _libc
    if libc is None:
        return None
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(how))


_FILES = (65_536, 10_240)


def allow_many_files() -> None:
    """Raise what systems allow a program at first, often 256 or 1,024: each connection takes one."""
    import resource  # not on Windows, where this module is imported too

    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in _FILES:  # macOS allows less than it says
        with suppress(ValueError, OSError):
            wanted = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
            return


def kill_session(pid: int) -> None:
    """End a program and everything it started, at once."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def born(pid: int) -> float | None:
    """Return when a process was started; None if there is none.

    With the number it tells a process from a later one with the same number. On Linux it counts from the
    machine's start, so that setting the clock changes nothing.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return round(process.create_time() - (psutil.boot_time() if _LINUX else 0), 2)
    except psutil.NoSuchProcess:
        return None


async def end_with_leader() -> None:
    """Stop this stack when the process ends that ``WORKSHOP_LEADER`` names, if it names one.

    So a central queue ends with the stack of the machine that started it, however that one ends.
    """
    if leader := int(os.environ.get("WORKSHOP_LEADER") or 0):
        since = born(leader)
        while since is not None and born(leader) == since:
            await asyncio.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
