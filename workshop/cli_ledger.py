"""The command ``workshop ledger``: what was published against what became of it."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from workshop.visible import echo, visible

if TYPE_CHECKING:
    from workshop.delivery.ledger import Ledger


@click.command()
@click.option("--requeue", is_flag=True, help="Send what is missing or unknown again, under the same ids.")
def ledger(requeue: bool) -> None:
    """Compare what was published with rows, dead letters and queues. Exit code 1 if a task is missing."""
    from workshop import settings
    from workshop.delivery import ledger as book  # slow to import
    from workshop.delivery.publisher import NotSent

    _require_services()
    now = book.ledger()
    for line in lines(now):
        echo(line)
    if settings.joined():
        echo("Note: what other machines hold, and the central's dead letters, can't be seen from here.")
    nowhere = [*now.missing, *now.unknown]
    if not requeue:
        sys.exit(1 if nowhere else 0)
    try:
        echo(f"{book.requeue(nowhere):,} tasks were sent again. Next: workshop ledger, in a while")
    except NotSent as error:
        raise click.ClickException(str(error)) from error


def lines(now: "Ledger") -> Iterator[str]:
    """Yield a ledger in words.

    Parameters
    ----------
    now : workshop.delivery.ledger.Ledger
        What became of the tasks.
    """
    yield _line("published", len(now.published), "tasks in the record of this machine")
    yield _line("rows", len(now.rows), "done")
    yield _line("dead", len(now.dead), "failed for good", now.dead.values())
    yield _line("waiting", now.waiting, "in the queue")
    yield _line("held", len(now.held), "with a worker: running, or due later")
    yield _line("missing", len(now.missing), "confirmed by RabbitMQ, and nowhere", _ids(now.missing))
    yield _line("unknown", len(now.unknown), "never confirmed, and nowhere", _ids(now.unknown))
    yield _line("not sent", len(now.unsent), "the sender was told", [task.unsent for task in now.unsent])
    yield _line("strangers", len(now.strangers), "rows or dead letters that this machine never sent")
    yield _line("refused", len(now.refused), "messages that are no tasks", now.refused)
    if now.balanced:
        yield "The ledger balances: each task has its row or its dead letter."
    elif now.missing or now.unknown:
        yield "The ledger does not balance. Next: workshop ledger --requeue sends what is missing again"
    else:
        yield "Tasks are on their way. Next: workshop ledger, in a while"


def _line(name: str, number: int, what: str, details: Iterable[str] = ()) -> str:
    found = Counter(visible(detail.partition("\n")[0], keep="")[:90] for detail in details).most_common(4)
    return "\n".join(
        [f"{name:<10}{number:>8,}  {what}", *(f"{times:>14,} x {text}" for text, times in found)]
    )


def _ids(tasks: Iterable) -> list[str]:
    return [f"{task.name} {task.id}" for task in tasks]


def _require_services() -> None:
    """End with a sentence if the broker or the database does not answer."""
    from workshop import settings
    from workshop.delivery.addresses import broker_trouble, database_trouble

    trouble = broker_trouble(settings.broker_url()) or database_trouble(settings.database_url())
    if trouble:
        raise click.ClickException(f"{trouble.text} Next: workshop status")
