"""Starting and ending one program, so that it never outlives the stack."""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from workshop.settings import ROOT
from workshop.stack.service import Service
from workshop.stack.site import Site

LOG_LIMIT = 5_000_000
"""Bytes at which a log is put aside at the next start."""

_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_PR_SET_PDEATHSIG = 1


def spawn(service: Service, site: Site) -> subprocess.Popen[bytes]:
    """Start a service's program in a session of its own, with its output in its log.

    On Linux the kernel stops it when this process ends, however that ends. Call it from the main
    thread: the kernel watches the thread that started the program.
    """
    log = site.log(service.name)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_suffix(".log.1"))
    with log.open("ab") as output:
        return subprocess.Popen(
            service.command(site),
            cwd=ROOT,
            env=service.environment(site) if service.environment else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_end_with_parent(service.stop_signal),
        )


def _end_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    libc = _libc
    if libc is None:
        return None
    return lambda: libc.prctl(_PR_SET_PDEATHSIG, int(how))


def kill_session(pid: int) -> None:
    """End a program and everything it started, at once."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def born(pid: int) -> float | None:
    """Return when a process was started (seconds since 1970); None if there is none.

    With the number it tells a process from a later one with the same number.
    """
    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except psutil.NoSuchProcess:
        return None


def tail(log: Path, lines: int = 12) -> str:
    """Return the last lines of a log, indented."""
    try:
        text = log.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(f"    {line}" for line in text.splitlines()[-lines:])
