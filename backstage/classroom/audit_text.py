"""What became of tasks, in words: of those that this machine published, and of those that a class was fed."""

from collections import Counter
from collections.abc import Iterable, Iterator

from backstage.classroom.audit import Audit
from backstage.stack.visible import visible
from workshop.delivery.ledger import Ledger
from workshop.delivery.record import Published


def of_machine(now: Ledger) -> Iterator[str]:
    """Yield in words what became of the tasks of this machine.

    Parameters
    ----------
    now : workshop.delivery.ledger.Ledger
        What became of them.
    """
    yield _row("published", len(now.published), "tasks in the record of this machine")
    yield _row("rows", len(now.rows), "done")
    yield _row("dead", Counter(now.dead.values()), "failed for good")
    yield _row("waiting", now.waiting, "in the queue")
    yield _row("held", len(now.held), "with a worker: running, or due later")
    yield _row("missing", _ids(now.missing), "confirmed by RabbitMQ, and nowhere")
    yield _row("unknown", _ids(now.unknown), "never confirmed, and nowhere")
    yield _row("not sent", Counter(task.unsent for task in now.unsent), "the sender was told")
    yield _row("wrong", Counter(now.wrong.values()), "ids with other arguments or rows than their task's")
    elsewhere = Counter(task.sent_to for task in now.elsewhere)
    yield _row("elsewhere", elsewhere, "sent to another broker, so not judged here")
    yield _row("strangers", len(now.strangers), "rows or dead letters that this machine never sent")
    yield _row("refused", Counter(now.refused), "messages that are no tasks")
    if now.balanced:
        yield "The ledger balances: each task has its row or its dead letter."
    elif now.wrong:
        own = "send each task under an id of its own, as delay() does; workshop reset N empties the tables"
        yield f"The ledger does not balance. Next: {own}"
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
    yield _row("fed", found.fed, "squares put on the queue")
    yield _row("rows", found.rows.total(), "done")
    yield _row("dead", found.dead, "failed for good")
    yield _row("waiting", found.waiting, "in the queue")
    yield _row("held", _accounts(found.held), "with a machine, or due again later", 40)
    yield _row("missing", found.missing, "fed, and nowhere")
    yield _row("forged", _accounts(found.forged), "rows that can't come from their task", 40)
    what = "MORE-ROWS: rows under a fed square's id that are of another square"
    yield _row("more", _accounts(found.more), what, 40)
    what = "rows of tasks not fed here: notebooks send such tasks, or a machine made the rows up"
    yield _row("strangers", _accounts(found.strangers), what, 40)
    yield _row("refused", found.strange_letters, "dead letters of tasks not fed here, or of no tasks")
    yield _verdict(found)


def _verdict(found: Audit) -> str:
    if found.balanced:
        also = " Next: workshop class resend sends those that failed again" if found.dead else ""
        return f"It balances: each square that was fed has its row or its dead letter.{also}"
    if found.missing or found.forged or found.more:
        also = ", with --remove-forged for those rows" if found.forged or found.more else ""
        return f"It does not balance. Next: workshop class resend{also}"
    long = "" if found.waiting else ". Held for long? workshop class resend sends them again"
    return f"{found.open.total():,} squares are on their way. Next: workshop class ledger, in a while{long}"


def _row(name: str, found: int | Counter[str], what: str, most: int = 4) -> str:
    """Return a line with a number, and one for each of the texts that were counted most often."""
    counted: Counter[str] = Counter()
    for text, times in found.items() if isinstance(found, Counter) else ():
        counted[visible(text.partition("\n")[0], keep="")[:120]] += times
    number = found.total() if isinstance(found, Counter) else found
    shown = (f"{times:>14,} x {text}" for text, times in counted.most_common(most))
    return "\n".join([f"{name:<10}{number:>8,}  {what}", *shown])


def _ids(tasks: Iterable[Published]) -> Counter[str]:
    return Counter(f"{task.name} {task.id}" for task in tasks)


def _accounts(found: Counter[str]) -> Counter[str]:
    own = {"geopython": "this central itself", "celery_user": "this central too", "?": "nobody knows yet"}
    return Counter({own.get(name, name): times for name, times in found.items()})
