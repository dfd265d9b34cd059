"""The commands of an attendee at work: check, hint, solution, progress, join, leave."""

import sys
from importlib import import_module
from typing import Any

import click

from workshop.visible import echo

_number = click.argument("challenge", type=click.IntRange(1, 4))


@click.group()
def challenges() -> None:
    """The commands of an attendee at work."""


@challenges.command()
@_number
def check(challenge: int) -> None:
    """Say what is right or wrong with CHALLENGE, 1 to 4. Exit code 0 if it is passed, else 1."""
    verdict = _module(challenge).check()
    echo(verdict)
    if not verdict.code.endswith("-PASSED"):
        sys.exit(1)


@challenges.command()
@_number
def hint(challenge: int) -> None:
    """Show the next hint for CHALLENGE, 1 to 4."""
    echo(_module(challenge).hint())


@challenges.command()
@_number
def solution(challenge: int) -> None:
    """Show the solution of CHALLENGE, 1 to 4. It is noted in your progress, and that is all."""
    from workshop.challenges.source import NoSource

    try:
        echo(_module(challenge).solution())
    except NoSource as error:
        raise click.ClickException(str(error)) from error


@challenges.command()
@click.argument("code", nargs=-1, required=True)
def join(code: tuple[str, ...]) -> None:
    """Work at the central queue and database that the CODE of a card stands for."""
    from workshop.classroom.join import join

    lines: list[str] = []
    if not join(" ".join(code), say=lines.append):
        raise click.ClickException("\n".join(lines))
    echo("\n".join(lines))


@challenges.command()
def leave() -> None:
    """Go back to this machine's own queue and database."""
    from workshop.classroom.join import leave

    leave(echo)


@challenges.command()
def progress() -> None:
    """Show which challenges are passed."""
    from workshop.challenges.progress import show

    echo(show())


def _module(challenge: int) -> Any:
    return import_module(f"workshop.challenges.challenge_{challenge}")
