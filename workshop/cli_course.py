"""The commands of the course itself: starters, challenges and one's own work."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from workshop.visible import echo


@click.group()
def course() -> None:
    """The commands of the course itself."""


@course.command()
@click.option("--push", "remote", metavar="REMOTE", help="Push them there, such as origin.")
def branches(remote: str | None) -> None:
    """Make the branches challenge-1, -2 and -3 anew from this commit."""
    from workshop.classroom import branches as making

    with _spoken_errors():
        making.recreate(echo, remote)


@course.command()
@click.argument("challenge", type=click.IntRange(1, 4))
@click.option("--solved", is_flag=True, help="With the solution of this challenge too.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
def reset(challenge: int, solved: bool, yes: bool, dry_run: bool) -> None:
    """Save your work, put the fresh starter of CHALLENGE in place, and empty queues and tables."""
    from workshop.challenges.starters import Level
    from workshop.classroom import reset as resetting

    level = Level(challenge, solved)
    with _spoken_errors():
        prospect = resetting.prospect(level)
        echo(prospect)
        if dry_run:
            return
        if not yes and not sys.stdin.isatty():
            raise click.UsageError(
                "There is no terminal to ask for a confirmation. Next: the same with --yes"
            )
        if not yes:
            click.confirm("Go on?", abort=True)
        resetting.reset(level, echo)


@course.command()
@click.argument("name", required=False)
def restore(name: str | None) -> None:
    """Bring back the work saved as NAME, a folder or a ZIP file; without NAME, show all names."""
    from workshop.classroom import work

    with _spoken_errors():
        if name:
            work.restore(name, echo)
            return
        names = work.saved()
        echo("\n".join(names) if names else "No work is saved here yet.")


@course.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
def save(file: Path | None) -> None:
    """Write your own work into a ZIP file: all files that differ from the fresh starter."""
    from workshop.classroom import work

    with _spoken_errors():
        echo(f"Saved in {work.pack(file)}")


@contextmanager
def _spoken_errors() -> Iterator[None]:
    """Show what can go wrong as a sentence."""
    from workshop.challenges.git import GitError
    from workshop.challenges.source import NoSource
    from workshop.challenges.starters import MalformedMarks
    from workshop.classroom.clearing import Silent
    from workshop.classroom.obstacles import Refused
    from workshop.stack.running import NotRunning

    known = (GitError, MalformedMarks, NoSource, NotRunning, OSError, Refused, Silent)
    try:
        yield
    except known as error:
        raise click.ClickException(str(error)) from error
