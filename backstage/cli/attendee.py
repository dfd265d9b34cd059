"""What an attendee types: checks and help, the way to a central and back, and one's own work."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from backstage.cli import terminal
from backstage.cli.terminal import echo
from workshop.errors import WorkshopError

attendee = click.Group("attendee", help="Attendee")

_number = click.argument("challenge", type=click.IntRange(1, 5))


@attendee.command()
@_number
@click.option("--share", is_flag=True, help="Tell the verdict's code to the central that you have joined.")
def check(challenge: int, share: bool) -> None:
    """Say what is right or wrong with CHALLENGE, 1 to 5."""
    from backstage.challenges import verdict

    found = _module(challenge).check()
    echo(found)
    if share:
        from backstage.classroom import passed

        passed.share(challenge, found)
        echo(f"Shared with your class: {found.code}, under this machine's account.")
    codes = {verdict.PASSED: 0, verdict.ENVIRONMENT: terminal.EXIT_ENVIRONMENT}
    sys.exit(codes.get(found.kind, terminal.EXIT_NOT_YET))


@attendee.command()
@_number
def hint(challenge: int) -> None:
    """Show the next hint for CHALLENGE, 1 to 5."""
    echo(_module(challenge).hint())


@attendee.command()
@_number
def solution(challenge: int) -> None:
    """Show the solution of CHALLENGE, 1 to 5. Your progress notes it."""
    echo(_module(challenge).solution())


@attendee.command()
def progress() -> None:
    """Show which challenges are passed."""
    from backstage.challenges.progress import show

    echo(show())


@attendee.command()
@click.argument("code", nargs=-1)
def join(code: tuple[str, ...]) -> None:
    """Work at the central that a card's CODE stands for. Without CODE, you are asked for it."""
    from backstage.classroom.join import join

    if not code:
        terminal.require("the code of your card", "workshop join and the code")
        code = (click.prompt("The code on your card"),)
    if not join(" ".join(code), say=echo):
        sys.exit(terminal.EXIT_ENVIRONMENT)


@attendee.command()
def leave() -> None:
    """Go back to this machine's own queue and database."""
    from backstage.classroom.join import leave

    if not leave(echo):
        sys.exit(terminal.EXIT_ENVIRONMENT)


@attendee.command()
@click.argument("challenge", type=click.IntRange(1, 5))
@click.option("--solved", is_flag=True, help="With the solution of this challenge too.")
@click.option("--dry-run", is_flag=True, help="Only show what would happen.")
@terminal.yes
def reset(challenge: int, solved: bool, dry_run: bool, yes: bool) -> None:
    """Keep your work, and start CHALLENGE afresh.

    Its starter is put in place, and the queues and tables are emptied.
    """
    from backstage.challenges.starters import Level
    from backstage.classroom import reset as resetting

    level = Level(challenge, solved)
    echo(resetting.prospect(level))
    if not dry_run:
        terminal.confirm("Go on?", yes)
        resetting.reset(level, echo)


@attendee.command()
@click.argument("file", required=False, type=click.Path(path_type=Path, dir_okay=False))
def save(file: Path | None) -> None:
    """Write your own work into a ZIP file.

    It is all files that differ from the fresh starter.
    """
    from backstage.classroom import saved

    echo(f"Saved in {saved.pack(file)}")


@attendee.command()
@click.argument("name", required=False)
def restore(name: str | None) -> None:
    """Bring back the work saved as NAME, a folder or a ZIP. Without NAME, show all names."""
    from backstage.classroom import saved

    if name:
        saved.restore(name, echo)
    else:
        echo("\n".join(saved.saved()) or "No work is saved here yet.")


@attendee.command()
@click.option("--requeue", is_flag=True, help="Send what is missing or unknown again, under the same ids.")
def ledger(requeue: bool) -> None:
    """Compare what was sent with what became of it.

    Rows, dead letters, the queue and the workers count. Exit code 1 unless it balances.
    """
    from backstage.classroom import audit_text
    from workshop import settings
    from workshop.delivery import ledger as book  # slow to import
    from workshop.delivery.addresses import broker_trouble, database_trouble

    if trouble := broker_trouble(settings.broker_url()) or database_trouble(settings.database_url()):
        raise WorkshopError(trouble.text, "workshop status")
    now = book.ledger()
    echo("\n".join(audit_text.of_machine(now)))
    if settings.joined():
        echo("Note: what other machines hold, and the central's dead letters, can't be seen from here.")
    nowhere = [*now.missing, *now.unknown]
    if requeue:
        echo(f"{book.requeue(nowhere):,} tasks were sent again. Next: workshop ledger, in a while")
    sys.exit(0 if now.balanced or requeue else terminal.EXIT_NOT_YET)


def _module(challenge: int) -> Any:
    return import_module(f"backstage.challenges.challenge_{challenge}")
