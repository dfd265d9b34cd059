"""What a benchmark runs: servers of its own, and programs beside them. Each ends with its ``with`` block."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import click
import psycopg

from backstage.stack import shutdown, startup
from backstage.stack.environment import of_child
from backstage.stack.process import kill_session
from backstage.stack.site import Site
from backstage.stack.status import running_site
from workshop.state_folder import ROOT

_PATIENCE = 20
"""Seconds that a program has to end by itself."""


@contextmanager
def servers() -> Iterator[Site]:
    """Start a PostgreSQL and a RabbitMQ on free ports, in a folder that goes with them.

    From here on this process uses them and nothing else, whatever the environment says of the course.
    """
    for name in [name for name in os.environ if name.startswith("WORKSHOP_")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="workshop-bench-", ignore_cleanup_errors=True) as folder:
        os.environ |= {"WORKSHOP_STATE": f"{folder}/state", "WORKSHOP_PORTS": "any"}
        try:
            startup.up_detached(("postgis", "rabbitmq"), click.echo)
            site = running_site()
            assert site is not None
            yield site
        finally:
            shutdown.down(click.echo)


@contextmanager
def program(
    site: Site, command: list[str], environment: dict[str, str], name: str, stdout: int | None = None
) -> Iterator[subprocess.Popen]:
    """Run a program that is told where the services are.

    Parameters
    ----------
    site : Site
        Where they are.
    command : list of str
        The program and its arguments.
    environment : dict of str to str
        What it is told besides.
    name : str
        Of the log that gets what it says.
    stdout : int, optional
        ``subprocess.PIPE`` for a program whose output is read; its log has the rest.
    """
    told = {"BENCH_BROKER_URL": site.broker_url, "BENCH_DATABASE_URL": site.database_url}
    with site.log(name).open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=of_child(told | environment),
            start_new_session=True,
            stdout=stdout or log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_PATIENCE)
        kill_session(process.pid)  # what it left, or has not ended itself
        process.wait()


@contextmanager
def database(site: Site) -> Iterator[psycopg.Connection]:
    """Open a connection whose statements take effect at once."""
    with psycopg.connect(site.database_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection
