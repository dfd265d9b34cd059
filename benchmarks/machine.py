"""Says on which machine, and with which programs, something was measured."""

import os
import platform
import re
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from kombu import Connection

from backstage.stack.site import Site
from benchmarks.stack import database

_PACKAGES = ("celery", "kombu", "sqlalchemy", "psycopg", "dramatiq", "taskiq", "procrastinate")


def describe(site: Site) -> str:
    """Return it in two sentences.

    Parameters
    ----------
    site : Site
        The servers, which are asked for their versions.
    """
    with database(site) as postgres, Connection(site.broker_url) as broker:
        [(postgis,)] = postgres.execute("SELECT public.postgis_lib_version()").fetchall()
        postgresql = str(postgres.info.parameter_status("server_version")).split()[0]
        rabbitmq = broker.connect().server_properties["version"]
    packages = []
    for name in _PACKAGES:
        with suppress(PackageNotFoundError):
            packages.append(f"{name} {version(name)}")
    cores, memory = len(os.sched_getaffinity(0)), psutil.virtual_memory().total / 2**30
    return (
        f"Measured on {datetime.now(UTC):%-d %B %Y} with {cores} cores ({_processor()}) and {memory:.0f} GiB "
        f"of memory, {platform.system()} {platform.release()}. PostgreSQL {postgresql} with PostGIS "
        f"{postgis}, RabbitMQ {rabbitmq}, Python {platform.python_version()}, {', '.join(packages)}."
    )


def _processor() -> str:
    with suppress(OSError):
        if found := re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE):
            return found[1]
    return platform.processor() or platform.machine()
