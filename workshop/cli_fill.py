"""The commands of ``workshop central`` that put the country on the queue, and compare what became of it."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import click

from workshop.cli_central import spoken_errors
from workshop.visible import echo, visible

if TYPE_CHECKING:
    from workshop.classroom.fed import Balance


@click.command()
@click.argument("part", required=False)
@click.option("--all", "everything", is_flag=True, help="All 910,000 squares of the grid, the sea too.")
@click.option("--tasks", type=click.IntRange(1), metavar="N", help="Stop after so many squares.")
def fill(part: str | None, everything: bool, tasks: int | None) -> None:
    """Put every square that touches land on the queue, or those of PART: SCT, or NT.

    At most 20,000 wait at a time. Ctrl-C is the pause: the same command goes on.
    """
    from workshop.classroom import country  # slow to import, as all below
    from workshop.classroom import fill as filling

    if part and everything:
        raise click.UsageError("PART and --all are two different parts. Next: one of them")
    part = country.ALL if everything else country.LAND if part is None else part.upper()
    with spoken_errors():
        try:
            fed, of = filling.fill(part, tasks)
        except KeyboardInterrupt:
            fed = filling.read().fed.get(part, 0)
            echo(f"\nPaused after {fed:,} squares. Next: the same command goes on there")
            return
        rest = "That is all." if fed == of else "The same command goes on."
        echo(f"{fed:,} of {of:,} squares were put on the queue so far. {rest}")


@click.command()
def ledger() -> None:
    """Compare what was fed with rows, dead letters and the queue. Exit code 1 if it does not balance."""
    from workshop.classroom import fed

    with spoken_errors():
        found = fed.balance()
    for line in lines(found):
        echo(line)
    sys.exit(1 if len(found.missing) or found.forged else 0)


@click.command()
@click.option("--remove-forged", is_flag=True, help="Remove forged rows, and send their squares again.")
def mend(remove_forged: bool) -> None:
    """Send again what failed or has no answer, each task under its own id, so that none makes two rows."""
    from workshop.classroom import fed

    with spoken_errors():
        found = fed.balance()
        fed.mend(found, remove_forged, echo)
    if found.waiting:
        echo("What has no answer is known only when nothing waits: a machine has to be at work.")


def lines(found: "Balance") -> Iterator[str]:
    """Yield what became of the squares in words.

    Parameters
    ----------
    found : workshop.classroom.fed.Balance
        What became of them.
    """
    held, unsure = found.held or {}, "RabbitMQ does not know yet" if found.held is None else ""
    forged = Counter(found.forged.values())
    yield _line("fed", found.fed, "squares put on the queue")
    yield _line("rows", found.rows, "done")
    yield _line("dead", len(found.dead), "failed for good", Counter(found.dead.values()))
    yield _line("waiting", found.waiting, "in the queue")
    yield _line("held", sum(held.values()), unsure or "with a machine, or due again later", held)
    yield _line("missing", len(found.missing), "fed, and nowhere")
    yield _line("forged", forged.total(), "rows that can't come from their task", forged)
    what = "rows of tasks not fed here: notebooks send such tasks, or a machine made the rows up"
    yield _line("strangers", sum(found.strangers.values()), what, found.strangers)
    yield _line("refused", found.strange_letters, "dead letters of tasks not fed here, or of no tasks")
    yield _verdict(found)


def _verdict(found: "Balance") -> str:
    if len(found.missing) or found.forged:
        also = ", with --remove-forged for the forged rows" if found.forged else ""
        return f"It does not balance. Next: workshop central mend{also}"
    if found.waiting or found.held != {}:
        long = "" if found.waiting else ". Held for long? workshop central mend sends them again"
        return f"{found.open:,} squares are on their way. Next: workshop central ledger, in a while{long}"
    also = " Next: workshop central mend sends those that failed again" if found.dead else ""
    return f"It balances: each square that was fed has its row or its dead letter.{also}"


def _line(name: str, number: int, what: str, details: Mapping[str, int] | None = None) -> str:
    found: Iterable[tuple[str, int]] = Counter(details or {}).most_common(40 if name != "dead" else 4)
    shown = (f"{times:>14,} x {visible(_account(text), keep='')[:90]}" for text, times in found)
    return "\n".join([f"{name:<10}{number:>8,}  {what}", *shown])


def _account(name: str) -> str:
    own = {"geopython": "this central itself", "celery_user": "this central itself", "?": "nobody knows yet"}
    return own.get(name, name)
