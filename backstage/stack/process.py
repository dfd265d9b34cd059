"""Starting and ending one program, so that it never outlives the stack."""

import asyncio
import os
import shutil
import signal
import subprocess
from asyncio.subprocess import Process
from contextlib import nullcontext, suppress

import psutil

from backstage.stack import containers, environment, logs
from backstage.stack.service import Service
from backstage.stack.site import Site
from workshop.state_folder import ROOT

_SETPRIV = shutil.which("setpriv")
"""A program of Linux; macOS knows no such thing."""


async def spawn(service: Service, site: Site) -> Process:
    """Start a service's program in a session of its own, with its output in its log, or its container's.

    On Linux the kernel stops it when this process ends, however that ends: `setpriv` asks for that. Call
    this from the main thread, as the kernel watches the thread that started the program.
    """
    log = site.log(service.name)
    logs.begin(log)
    bound = [_SETPRIV, f"--pdeathsig={service.stop_signal.name}", "--"] if _SETPRIV else []
    with nullcontext() if containers.inside() else log.open("ab") as output:  # Docker keeps what is said
        return await asyncio.create_subprocess_exec(
            *bound,
            *service.command(site),
            cwd=ROOT,
            env=environment.of_child(service.environment(site)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


_FILES = 10_240
"""Connections that a class may want. macOS allows so many, whatever it says."""


def allow_many_files() -> None:
    """Raise what systems allow a program at first, often 256 or 1,024: each connection takes one."""
    import resource  # not on Windows, where this module is imported too

    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now < _FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, most), most))


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
        return round(process.create_time() - (psutil.boot_time() if psutil.LINUX else 0), 2)
    except psutil.NoSuchProcess:
        return None
