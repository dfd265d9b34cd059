"""What became of tasks, in words: of those that this machine published, and of those that a class was fed."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from backstage.classroom.audit import Audit
from backstage.stack.visible import visible
from workshop.delivery.ledger import Ledger


def of_machine(now: Ledger) -> Iterator[str]:
    """Yield in words what became of the tasks of this machine.

    Parameters
    ----------
    now : workshop.delivery.ledger.Ledger
        What became of them.
    """
    yield _row("published", len(now.published), "tasks in the record of this machine")
    yield _row("rows", len(now.rows), "done")
    yield _row("dead", len(now.dead), "failed for good", now.dead.values())
    yield _row("waiting", now.waiting, "in the queue")
    yield _row("held", len(now.held), "with a worker: running, or due later")
    yield _row("missing", len(now.missing), "confirmed by RabbitMQ, and nowhere", _ids(now.missing))
    yield _row("unknown", len(now.unknown), "never confirmed, and nowhere", _ids(now.unknown))
    yield _row("not sent", len(now.unsent), "the sender was told", [task.unsent or "" for task in now.unsent])
    yield _row("strangers", len(now.strangers), "rows or dead letters that this machine never sent")
    yield _row("refused", len(now.refused), "messages that are no tasks", now.refused)
    if now.balanced:
        yield "The ledger balances: each task has its row or its dead letter."
    elif now.missing or now.unknown:
        yield "The ledger does not balance. Next: workshop ledger --requeue sends what is missing again"
    else:
        yield "Tasks are on their way. Next: workshop ledger, in a while"


def of_class(found: Audit) -> Iterator[str]:
    """Yield in words what became of the squares that a class was fed.

    Parameters
    ----------
    found : backstage.classroom.audit.Audit
        What became of them.
    """
    held, forged = Counter(found.held), Counter(found.forged.values())
    yield _row("fed", found.fed, "squares put on the queue")
    yield _row("rows", found.rows, "done")
    yield _row("dead", len(found.dead), "failed for good", found.dead.values())
    yield _row("waiting", found.waiting, "in the queue")
    yield _row("held", held.total(), "with a machine, or due again later", _accounts(held), 40)
    yield _row("missing", len(found.missing), "fed, and nowhere")
    yield _row("forged", forged.total(), "rows that can't come from their task", _accounts(forged), 40)
    what = "rows of tasks not fed here: notebooks send such tasks, or a machine made the rows up"
    yield _row("strangers", found.strangers.total(), what, _accounts(found.strangers), 40)
    yield _row("refused", found.strange_letters, "dead letters of tasks not fed here, or of no tasks")
    yield _verdict(found)


def _verdict(found: Audit) -> str:
    if found.balanced:
        also = " Next: workshop class resend sends those that failed again" if found.dead else ""
        return f"It balances: each square that was fed has its row or its dead letter.{also}"
    if found.missing or found.forged:
        also = ", with --remove-forged for the forged rows" if found.forged else ""
        return f"It does not balance. Next: workshop class resend{also}"
    long = "" if found.waiting else ". Held for long? workshop class resend sends them again"
    return f"{len(found.open):,} squares are on their way. Next: workshop class ledger, in a while{long}"


def _row(name: str, number: int, what: str, details: Iterable[str] = (), most: int = 4) -> str:
    found: Counter[str] = Counter()
    for text, times in Counter(details).items():  # of texts, or of a mapping that has counted them
        found[visible(text.partition("\n")[0], keep="")[:90]] += times
    shown = (f"{times:>14,} x {text}" for text, times in found.most_common(most))
    return "\n".join([f"{name:<10}{number:>8,}  {what}", *shown])


def _ids(tasks: Iterable) -> list[str]:
    return [f"{task.name} {task.id}" for task in tasks]


def _accounts(found: Mapping[str, int]) -> dict[str, int]:
    own = {"geopython": "this central itself", "celery_user": "this central too", "?": "nobody knows yet"}
    return {own.get(name, name): times for name, times in found.items()}
