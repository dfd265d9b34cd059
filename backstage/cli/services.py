"""What everybody types to start, watch and stop the services of one machine.

What reads ``settings.py`` is imported by the command that needs it: a mistake in that file stops no other.
"""

import os
import sys
import webbrowser
from contextlib import suppress

import click

from backstage.challenges import source
from backstage.cli import terminal
from backstage.cli.terminal import echo
from backstage.stack import containers, shutdown
from backstage.stack import logs as stack_logs
from backstage.stack import status as stack
from backstage.stack.central_config import open_to_others
from backstage.stack.lock import AlreadyRunning
from backstage.stack.service import NAMES
from workshop import kinds, state_folder
from workshop.errors import WorkshopError

services = click.Group("services", help="Services")


@services.command()
@click.argument("names", metavar="[SERVICE]...", nargs=-1, type=click.Choice(NAMES))
@click.option("--detach", "-d", is_flag=True, help="Return when everything is ready, and leave it running.")
@click.option("--open", "browser", is_flag=True, help="Open JupyterLab in the browser.")
def up(names: tuple[str, ...], detach: bool, browser: bool) -> None:
    """Start all services, or those named. They run until Ctrl-C, or `workshop down`."""
    from backstage.stack import control, startup

    def say(text: str) -> None:
        with suppress(OSError):  # the reader of this may be gone
            echo(text)

    def when_ready() -> None:
        end = "\nCtrl-C stops everything." if sys.stdout.isatty() and not detach else ""
        say(f"{stack.addresses()}\n{stack.readiness()}\n{source.first_step()}{end}")
        if browser:
            _open_lab()

    try:
        if "lab" in names or not containers.inside():  # of several containers, JupyterLab's does it for all
            source.keep_copy()
    except OSError as error:
        echo(f"Note: no fresh copy of the course was kept, so workshop reset will not work: {error}")
    try:
        if containers.inside():
            _up_in_a_container(names)
        elif detach:
            startup.up_detached(names, echo)
            when_ready()
        else:
            startup.up(names, say, when_ready)
    except AlreadyRunning:
        if stack.running() is None:
            raise
        added = control.add(names)
        beside = f" Started beside them: {', '.join(added)}." if added else ""
        echo(f"The services of this course are running already.{beside}\n{stack.addresses()}")
        if browser:
            _open_lab()


def _up_in_a_container(names: tuple[str, ...]) -> None:
    """Run the one program of a container, as docker-compose.yml names it: the first that its init starts."""
    from backstage.stack import compose, startup

    if os.getppid() != 1:
        raise AlreadyRunning
    compose.prepare()
    if names[0] == "lab":
        startup.forget_orders()
        echo(f"{stack.addresses()}\n{source.first_step()}")
    compose.run(names[0], echo)


@services.command()
@click.option("--purge", is_flag=True, help="Remove the database, the queues, the logs and all settings too.")
@terminal.yes
def down(purge: bool, yes: bool) -> None:
    """Stop all services. What they hold is there again at the next start."""
    from backstage.stack import workers

    if (address := open_to_others()) and not purge:
        echo(f"A class is open at {address}. Its machines wait until the services are there again.")
        if not yes and sys.stdin.isatty():
            click.confirm("Stop them?", abort=True)
    shutdown.down(echo, purge)
    if workers.rehearsal_folder().exists():  # only now: a server that is not ready would hold it up
        from backstage.classroom import rehearsal

        rehearsal.stop(echo)


@services.command()
def status() -> None:
    """Show how each service is, and where to look at it.

    Exit code 1 if one is not ready yet, 3 if they are not running.
    """
    if stack.running() is None:
        reason = state_folder.read("stack.json").get("error")
        start = f"The last start failed: {reason}\n" if reason else ""
        raise WorkshopError(f"The services are not running. {start}".rstrip(" "), "make lab, or workshop up")
    from backstage.challenges import health  # slow to import, as it looks at tables
    from backstage.stack import remote

    echo(stack.status())
    if joined := remote.place():
        echo(f"This machine is {joined}, a central queue. {remote.trouble() or 'It answers.'}")
        echo("The way back to its own queue: workshop leave")
    for line in health.workers():
        echo(line)
    echo(stack.addresses())
    if set(stack.services().values()) != {"ready"}:
        sys.exit(terminal.EXIT_NOT_YET)


@services.command()
@click.argument("service", required=False)
@click.option("--lines", "-n", default=20, show_default=True, help="How many lines of each log.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
def logs(service: str | None, lines: int, follow: bool) -> None:
    """Show the end of every log, or of one SERVICE."""
    if containers.inside():
        part = (service or "").partition("@")[0].rstrip("0123456789")
        part = "worker" if part == "machine" else part
        there = f"in a terminal of your own computer, in the course's folder: docker compose logs {part}"
        raise WorkshopError("Docker keeps what each container says.", there.rstrip())
    found = stack_logs.of(service)
    if service and not found:
        names = ", ".join(log.stem for log in stack_logs.of(None)) or "none yet"
        raise click.UsageError(f"There is no log of {service}. Logs: {names}")
    if not found:
        raise WorkshopError("There are no logs yet.", "workshop up")
    for log in found:
        echo(f"{log}\n{stack_logs.tail(log, lines)}")
    for line in stack_logs.follow(found) if follow else ():
        echo(line, nl=False)


@services.command()
@click.argument("workers", type=click.IntRange(1, kinds.MOST_WORKERS))
@click.option(
    "--processes",
    "-c",
    type=click.IntRange(1, kinds.MOST_PROCESSES),
    help="Tasks side by side in each worker.",
)
@click.option("--fast", is_flag=True, help="Threads of one process, for many short tasks that you trust.")
def scale(workers: int, processes: int | None, fast: bool) -> None:
    """Run WORKERS workers on this machine.

    With --fast they have no time limits, and a task that kills its process comes back for ever.
    """
    from backstage.stack import control

    control.scale(workers, processes, fast)
    echo(f"{workers} worker{'s are' if workers > 1 else ' is'} ready")


@services.command()
def doctor() -> None:
    """Say whether this machine is ready, or what to do."""
    from backstage.challenges.doctor import examine

    wrong = []
    for seen, step in examine():
        echo(f"{'NOT OK' if step else 'ok':<7} {seen}")
        wrong += [f"{seen.rstrip('.')}. Next: {step}"] if step else []
    if wrong:
        echo(f"NOT READY: {wrong[0]}")
        sys.exit(terminal.EXIT_ENVIRONMENT)
    echo("READY")


@services.command()
@click.option("--country", is_flag=True, help="Do all 910,000 squares of the grid instead, in 9,100 tasks.")
def demo(country: bool) -> None:
    """Do 2,500 tasks, and write the map demo.html.

    The rows of --country take 300 MB; workshop reset removes them.
    """
    from backstage.stack import demo, startup  # slow to import: maps and tables

    started = stack.running() is None
    try:
        if started:
            startup.up_detached(("postgis", "rabbitmq", "worker"), echo)
        demo.run(echo, "workshop.blocks" if country else "workshop.demo")
    finally:
        if started:
            shutdown.down(echo)


def _open_lab() -> None:
    """Open JupyterLab where there is a screen; a text browser would take over the terminal."""
    screen = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and "lab" in stack.services() and (site := stack.running_site()):
        webbrowser.open(site.lab_url)
