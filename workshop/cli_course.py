"""The commands of the course itself: starters, challenges and one's own work."""

from collections.abc import Iterator
from contextlib import contextmanager

import click


@click.group()
def course() -> None:
    """The commands of the course itself."""


@course.command()
@click.option("--push", "remote", metavar="REMOTE", help="Push them there, such as origin.")
def branches(remote: str | None) -> None:
    """Make the branches challenge-1, -2 and -3 anew from this commit."""
    from workshop.classroom import branches as making

    with _spoken_errors():
        making.recreate(click.echo, remote)


@contextmanager
def _spoken_errors() -> Iterator[None]:
    """Show what can go wrong as a sentence."""
    from workshop.challenges.git import GitError
    from workshop.challenges.source import NoSource
    from workshop.challenges.starters import MalformedMarks
    from workshop.classroom.branches import Refused

    try:
        yield
    except (GitError, MalformedMarks, NoSource, OSError, Refused) as error:
        raise click.ClickException(str(error)) from error
