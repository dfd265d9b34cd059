"""What became of tasks, in words: of those that this machine published, and of those that a class was fed."""

from collections import Counter
from collections.abc import Iterable, Iterator

from backstage.classroom.audit import Audit
from backstage.stack.texts import words
from backstage.stack.visible import visible
from workshop.delivery.ledger import Ledger
from workshop.delivery.record import Published

_Found = dict[str, int | Counter[str]]


def of_machine(now: Ledger) -> Iterator[str]:
    """Yield in words what became of the tasks of this machine.

    Parameters
    ----------
    now : workshop.delivery.ledger.Ledger
        What became of them.
    """
    found: _Found = {"published": len(now.published), "rows": len(now.rows)}
    found |= {"dead": Counter(now.dead.values()), "waiting": now.waiting, "held": len(now.held)}
    found |= {"missing": _ids(now.missing), "unknown": _ids(now.unknown)}
    found |= {"not-sent": Counter(task.unsent for task in now.unsent), "wrong": Counter(now.wrong.values())}
    found |= {"elsewhere": Counter(task.sent_to for task in now.elsewhere)}
    found |= {"strangers": len(now.strangers), "refused": Counter(now.refused)}
    yield from _lines(found)
    if now.balanced:
        yield words("verdict-balances")
    elif now.wrong:
        yield words("verdict-wrong")
    elif now.missing or now.unknown:
        yield words("verdict-missing", command="workshop ledger --requeue")
    else:
        yield words("verdict-on-the-way", number=len(now.open), command="workshop ledger")


def of_class(now: Audit) -> Iterator[str]:
    """Yield in words what became of the squares that a class was fed.

    Parameters
    ----------
    now : backstage.classroom.audit.Audit
        What became of them.
    """
    found: _Found = {"fed": now.fed, "rows": now.rows.total(), "dead": now.dead, "waiting": now.waiting}
    found |= {"held": _accounts(now.held), "missing": now.missing, "forged": _accounts(now.forged)}
    found |= {"more": _accounts(now.more), "strangers": _accounts(now.strangers)}
    yield from _lines(found | {"refused": now.strange_letters}, most=40)
    way = words("verdict-on-the-way", number=now.open.total(), command="workshop class ledger")
    if now.balanced:
        balances = words("verdict-balances")
        yield words("verdict-dead", balances=balances) if now.dead else balances
    elif now.forged or now.more:
        yield words("verdict-forged")
    elif now.missing:
        yield words("verdict-missing", command="workshop class resend")
    else:
        yield way if now.waiting else words("verdict-held", on_the_way=way)


def _lines(found: _Found, most: int = 4) -> Iterator[str]:
    """Yield a line with each number, and one for each of the texts that were counted most often."""
    for name, number in found.items():
        total = number.total() if isinstance(number, Counter) else number
        yield f"{name.replace('-', ' '):<10}{total:>8,}  {words(f'ledger-{name}')}"
        counted: Counter[str] = Counter()
        for text, times in number.items() if isinstance(number, Counter) else ():
            counted[visible(text.partition("\n")[0], keep="")[:120]] += times
        yield from (f"{times:>14,} x {text}" for text, times in counted.most_common(most))


def _ids(tasks: Iterable[Published]) -> Counter[str]:
    return Counter(f"{task.name} {task.id}" for task in tasks)


def _accounts(found: Counter[str]) -> Counter[str]:
    own = {"geopython": "this central itself", "celery_user": "this central too", "?": "nobody knows yet"}
    return Counter({own.get(name, name): times for name, times in found.items()})
