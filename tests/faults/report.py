"""Shows what a run found, as a table."""

from rich.console import Console
from rich.table import Table

from tests.faults import malformed
from tests.faults.tally import Result

console = Console(highlight=False, width=110)


def show(result: Result, seed: int) -> None:
    """Show what became of the tasks of one run; its faults were said as they struck."""
    console.print(_ends(result, seed))
    if result.stuck:
        console.print(f"The run stood still and was given up. {result.stuck}")
    for line in (*result.ended, *result.ended_after_outage):
        console.print(f"Not killed by the timetable: {line}", markup=False)
    for text, count in sorted(result.raised.items(), key=lambda item: -item[1])[:8]:
        console.print(f"{count} sends raised  {text[:200]}", markup=False)
    if result.tally.not_refused:
        names = (malformed.NAMES[number] for number in result.tally.not_refused)
        console.print(f"Not refused: {'; '.join(names)}", markup=False)
    for what in ("lost", "dead"):
        if ids := getattr(result.tally, what):
            console.print(f"{what}: {' '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}", markup=False)


def _ends(result: Result, seed: int) -> Table:
    count = result.tally
    table = Table("count", "of", title=f"What became of the tasks, seed {seed}")
    for number, what in (
        (count.accepted, "tasks accepted"),
        (count.rows, "of them with a row"),
        (len(count.lost), "lost: neither row nor dead letter"),
        (count.twice, "rows too many (stored twice)"),
        (len(count.dead), "good tasks among the dead letters"),
        (count.refused, f"of {count.malformed} malformed messages refused"),
        (count.strangers, "rows made by malformed messages"),
        (len(result.ended), "workers stopped by a message, or by nothing that the timetable did"),
        (len(result.ended_after_outage), "workers that ended by themselves after an outage of the broker"),
        (count.waiting, "messages left in the queue"),
        (count.failures, "FAILURE lines in the task log"),
        (count.retries, "RETRY lines in the task log"),
        (count.used, "rows of a second attempt (a budget was used)"),
        (sum(result.raised.values()), "sends that raised, each sent again under its id"),
        (f"{result.longest_send:.1f}", "seconds, the longest send"),
        (f"{result.seconds:.0f}", "seconds in all"),
    ):
        table.add_row(str(number), what)
    return table
