"""How the command speaks to a person: its sections, sentences, questions and exit codes."""

import sys
import traceback
from collections.abc import Iterator
from typing import Any

import click

from backstage.stack import logs
from backstage.stack.outage import unanswered
from backstage.stack.visible import visible
from workshop.errors import WorkshopError, WrongUse

EXIT_NOT_YET, EXIT_ENVIRONMENT = 1, 3
"""Exit codes. 0 is passed or ready; click itself ends with 2 where a command was used wrongly."""

yes = click.option("--yes", "-y", is_flag=True, help="Don't ask.")


_EDITED = tuple(f"workshop/{name}.py" for name in ("settings", "service", "tasks", "grid", "db", "demo"))


class Sections(click.CommandCollection):
    """Groups of commands as sections of one help; what goes wrong in any of them is said here."""

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Show each section under its heading."""
        for section in self.sources:
            with formatter.section(section.help or ""):
                formatter.write_dl(list(_rows(section)))

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(context)
        except click.ClickException as error:
            error.message = visible(error.message)  # type: ignore[misc]
            raise
        except WorkshopError as error:
            failure = click.ClickException(visible(str(error)))
            code = click.UsageError.exit_code if isinstance(error, WrongUse) else EXIT_ENVIRONMENT
            failure.exit_code = code  # type: ignore[misc]
            raise failure from error
        except Exception as error:
            mistake = logs.failure(traceback.format_exc())
            if not mistake.startswith(_EDITED):
                raise
            failure = click.ClickException(f"{mistake}. Next: mend this file, then the same again")
            failure.exit_code = EXIT_ENVIRONMENT  # type: ignore[misc]
            raise failure from error


def _rows(group: click.Group, before: str = "") -> Iterator[tuple[str, str]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _rows(command, f"{name} ")
        else:
            yield before + name, command.get_short_help_str(60)


class Central(click.Group):
    """Commands that say it in a sentence if the central does not answer."""

    def invoke(self, context: click.Context) -> Any:
        """Run the command."""
        import psycopg  # slow to import, as the others
        from amqp.exceptions import AMQPError
        from kombu.exceptions import OperationalError

        try:
            return super().invoke(context)
        except (AMQPError, OperationalError, OSError, psycopg.Error) as error:
            step = "the same in a while, or workshop class stop"
            raise unanswered("The central", error, step) from error


def echo(text: object = "", nl: bool = True) -> None:
    """Print a text, whoever wrote parts of it.

    Parameters
    ----------
    text : object
        What to print.
    nl : bool
        Whether a line ends after it.
    """
    click.echo(visible(str(text)), nl=nl)


def confirm(question: str, yes: bool) -> None:
    """Go on only if a person says so, here or by ``--yes``.

    Parameters
    ----------
    question : str
        What to ask.
    yes : bool
        Whether the answer came with the command.
    """
    if not yes:
        require("a confirmation", "the same with --yes")
        click.confirm(question, abort=True)


def require(what: str, instead: str) -> None:
    """Refuse to ask where nobody sits.

    Parameters
    ----------
    what : str
        What would be asked for.
    instead : str
        The command that needs no answer.
    """
    if not sys.stdin.isatty():
        raise click.UsageError(f"There is no terminal to ask for {what}. Next: {instead}")
