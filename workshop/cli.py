"""The command ``workshop``: a thin front on `workshop.stack` and `workshop.main_job`."""

import os
import sys
import time
import webbrowser
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from workshop import (
    cli_central,
    cli_challenges,
    cli_course,
    cli_fill,
    cli_ledger,
    cli_projector,
    cli_rehearse,
    machine,
)
from workshop.challenges import source
from workshop.json_files import Damaged
from workshop.settings import NotRunning, SettingError
from workshop.stack import centrally, containers, control
from workshop.stack.condition import StartFailed
from workshop.stack.doctor import examine
from workshop.stack.logs import failed_start, plain, tail
from workshop.stack.plan import NAMES
from workshop.visible import echo, visible


class _Command(click.Group):
    """Shows what is wrong as a sentence, whichever command meets it."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except click.ClickException as error:
            error.message = visible(error.message)  # type: ignore[misc]
            raise
        except (Damaged, NotRunning, SettingError) as error:
            raise click.ClickException(visible(str(error))) from error


@click.group(cls=_Command, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """A workshop on task queues for geoprocessing."""


for _command in [*cli_challenges.challenges.commands.values(), *cli_course.course.commands.values()]:
    main.add_command(_command)
main.add_command(cli_ledger.ledger)
for _command in (cli_fill.fill, cli_fill.ledger, cli_fill.mend):
    cli_central.central.add_command(_command)
main.add_command(cli_central.central)
main.add_command(cli_rehearse.rehearse)
main.add_command(cli_projector.projector)


@main.command()
@click.argument("services", nargs=-1, type=click.Choice(NAMES))
@click.option("--detach", "-d", is_flag=True, help="Return when everything is ready, and leave it running.")
@click.option("--periodic", is_flag=True, help="Run the periodic tasks too.")
@click.option("--open", "open_browser", is_flag=True, help="Open JupyterLab in the browser.")
def up(services: tuple[str, ...], detach: bool, periodic: bool, open_browser: bool) -> None:
    """Start all services, or only those named, and keep them running until Ctrl-C."""
    speaks = not containers.inside() or "lab" in services  # of several containers, JupyterLab's does for all

    def when_ready() -> None:
        if not speaks:
            return
        with suppress(OSError):  # the reader of this may be gone
            echo(control.addresses())
            echo(control.readiness())
            echo(_first_step())
            echo("Ctrl-C stops everything." if sys.stdout.isatty() else "", nl=sys.stdout.isatty())
        if open_browser:
            _open_lab()

    try:
        if speaks:
            source.keep_copy()
    except OSError as error:
        echo(f"Note: no fresh copy of the course was kept, so workshop reset will not work: {error}")
    try:
        if detach:
            options = [
                name for name, wanted in (("--periodic", periodic), ("--open", open_browser)) if wanted
            ]
            control.up_detached([*services, *options], echo)
            echo(_first_step())
        else:
            control.up(services, periodic, echo, when_ready)
    except control.AlreadyRunning:
        _show_running()
        if open_browser and control.running():
            _open_lab()
    except StartFailed as error:
        raise click.ClickException(str(error)) from error


@main.command()
@click.option("--purge", is_flag=True, help="Remove the database, the queues, the logs and all settings too.")
def down(purge: bool) -> None:
    """Stop all services. What they hold is there again at the next start."""
    if machine.read("rehearsal.json"):
        from workshop.classroom import rehearsal

        rehearsal.stop(echo)
    try:
        control.down(echo, purge)
    except (TimeoutError, StartFailed) as error:
        raise click.ClickException(str(error)) from error


@main.command()
def status() -> None:
    """Show each service, and the addresses of what can be looked at."""
    _site()
    echo(control.conditions())
    if joined := centrally.place():
        echo(f"This machine is {joined}, a central queue. {centrally.trouble() or 'It answers.'}")
        echo("The way back to its own queue: workshop leave")
    for line in _code_of_workers():
        echo(line)
    echo(control.addresses())


@main.command()
@click.argument("service", required=False)
@click.option("--lines", "-n", default=20, show_default=True, help="How many lines of each log.")
@click.option("--follow", "-f", is_flag=True, help="Go on with new lines until Ctrl-C.")
def logs(service: str | None, lines: int, follow: bool) -> None:
    """Show the end of every log, or of one SERVICE."""
    found = sorted((machine.state_dir() / "logs").glob("*.log"))
    if not found:
        raise click.ClickException("There are no logs yet. Next: workshop up")
    if service:
        chosen = [log for log in found if service in (log.stem, _part(log), _part(log).rstrip("0123456789"))]
        if not chosen:
            names = ", ".join(log.stem for log in found) or "none yet"
            text = f"There is no log of {service}. Logs: {names}"
            if containers.inside():
                text += f"\nNext: in a terminal of your own computer: docker compose logs {service}"
            raise click.ClickException(text)
        found = chosen
    for log in found:
        echo(f"{log}\n{tail(log, lines)}")
    if follow:
        _follow([log.open(encoding="utf-8", errors="replace") for log in found])


@main.command()
def doctor() -> None:
    """Say whether this machine is ready for the course, and if not, what to do next."""
    bad = []
    for finding in examine():
        echo(f"{'ok' if finding.good else 'NOT OK':<7} {finding.text}")
        if not finding.good:
            bad.append(finding)
    if bad:
        echo(f"NOT READY: {bad[0].text}. Next: {bad[0].next_step}")
        sys.exit(1)
    echo("READY")


@main.command()
@click.argument("workers", type=click.IntRange(1, 20))
@click.option("--processes", "-c", type=click.IntRange(1, 64), help="Tasks side by side in each worker.")
def scale(workers: int, processes: int | None) -> None:
    """Run WORKERS workers on this machine."""
    try:
        control.scale(workers, processes)
    except (control.NotRunning, StartFailed, TimeoutError) as error:
        raise click.ClickException(str(error)) from error
    echo(f"{workers} worker{'s are' if workers > 1 else ' is'} ready")


@main.command()
def demo() -> None:
    """Do 2,500 tasks, then write the map demo.html and show the squares per nation."""
    from workshop import main_job  # slow to import: maps and tables

    started = control.running() is None
    try:
        if started:
            control.up_detached(["postgis", "rabbitmq", "worker"], echo)
        main_job.run(echo)
    except (StartFailed, TimeoutError, main_job.Unfinished) as error:
        raise click.ClickException(str(error)) from error
    finally:
        if started:
            control.down(echo)


def _part(log: Path) -> str:
    """Return whose log it is; in containers the name of the container follows it."""
    return log.stem.partition("@")[0]


def _code_of_workers() -> list[str]:
    """Return which code each worker runs; nothing if nobody can be asked."""
    from workshop.challenges.environment import versions  # slow to import, as it looks at tables

    try:
        return versions()
    except Exception:  # the broker may be down, each client in its own way, and status says so above
        return []


def _first_step() -> str:
    """Return where a person begins, in words."""
    here = source.challenge_here().get("challenge")
    if here is None:
        return "This is the solved course. To begin: workshop reset 1"
    return f"Challenge {here}: open {source.notebook_of(here)}"


def _open_lab() -> None:
    """Open JupyterLab where there is a screen; a text browser would take over the terminal."""
    screen = sys.platform != "linux" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if screen and "lab" in control.services():
        webbrowser.open(_site().lab_url)


def _show_running() -> None:
    if control.running() is None:
        echo("The services of this course are being started or stopped. Next: workshop status")
        return
    echo("The services of this course are running already.")
    echo(control.addresses())


def _site() -> control.Site:
    site = control.running_site()
    if site is None:
        reason = failed_start(machine.state_dir() / "stack.log")
        start = f"The last start failed: {reason}\n" if reason else ""
        raise click.ClickException(f"The services are not running. {start}Next: make lab, or workshop up")
    return site


def _follow(logs: list) -> None:
    for log in logs:
        log.seek(0, 2)
    while True:
        for log in logs:
            for line in log:
                echo(plain(line), nl=False)
        time.sleep(0.2)
