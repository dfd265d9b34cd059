"""Puts the fresh starter of a challenge in place, after it has saved the work that is there.

The order lets it be stopped at any point without a loss: nothing is replaced before it is saved, and the
queues are emptied only once nothing can put a task back into them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from workshop import settings
from workshop.challenges import git, progress, source
from workshop.challenges.starters import Level
from workshop.classroom import branches, clearing, lab, work
from workshop.classroom.obstacles import check
from workshop.machine import ROOT
from workshop.stack import scaling
from workshop.stack.running import running

Say = Callable[[str], None]


@dataclass(frozen=True)
class Prospect:
    """What a reset will do.

    Attributes
    ----------
    own : list of str
        Files with work that will be saved.
    replaced : list of str
        Files that will be another, or gone.
    cleared : dict of str to int, optional
        How much of what will be removed from the services; None if they don't run.
    """

    own: list[str]
    replaced: list[str]
    cleared: dict[str, int] | None

    def __str__(self) -> str:
        """Say it in words."""
        held = ", ".join(f"{what}: {number:,}" for what, number in (self.cleared or {}).items())
        return "\n".join(
            (
                f"Saved first:    {work.shown(self.own)}",
                f"Changed files:  {work.shown(self.replaced)}",
                f"Removed:        {held or 'nothing'}"
                if self.cleared is not None
                else "The services don't run: squares and queues stay as they are.",
            )
        )


def prospect(level: Level) -> Prospect:
    """Return what a reset to a level will do, and change nothing.

    Raises
    ------
    workshop.classroom.obstacles.Refused
        If it can't be done.
    """
    source.keep_copy()
    here = work.here()
    here.refuse_if_stuck()
    if git.is_used():
        branches.refuse_if_checked_out(f"challenge-{level.challenge}", here=False)
    own = [*here.changed(), *here.in_the_way(level)]
    replaced = here.replaced(level)
    check([*own, *replaced])
    return Prospect(own, replaced, clearing.holdings())


def reset(level: Level, say: Say) -> None:
    """Save the work that is here, put a starter in place, and clear this machine's own services.

    Parameters
    ----------
    level : Level
        The challenge.
    say : callable
        Shows a line.

    Raises
    ------
    workshop.classroom.obstacles.Refused
        If it can't be done; nothing is changed then.
    workshop.classroom.lab.PagesNotSaved
        If a page of JupyterLab can't save what is open in it; nothing is changed then.
    TimeoutError
        If the workers don't stop, or are not ready again in time.
    """
    lab.save(list(_editable()))
    found = prospect(level)
    for document in lab.save_and_close(found.replaced):
        say(f"Saved and closed {document}")
    names = _save(level)
    for name in names:
        say(f"Your work is saved: {name}")
    if clearing.leave_central():
        say("This machine left the central queue. Nothing there is touched.")
    with _workers_paused(say) as had_workers:
        if had_workers is not None:
            clearing.clear()  # the first step, as others may keep it from being done
            say("Squares, log and queues are empty.")
        work.here().put(level)
        lab.guard(found.replaced)  # a page may have read the files just before they changed
        say(f"The files of challenge {level.challenge} are in place.")
        clearing.forget_settings()
    if had_workers:
        scaling.until_ready()
        say("The worker is ready with the new code.")
    progress.note(level.challenge, "reset")
    for name in names:
        say(f"Your work from before is on {name}. To get it back: workshop restore {name}")
    notebook = source.notebook_of(level.challenge)
    lab.reopen(notebook)
    say(f"Next: open {notebook}")


def _editable() -> Iterator[str]:
    """Yield what people edit: an open page may hold unsaved edits of a file that is not changed on disk."""
    for pattern in ("notebooks/**/*.ipynb", "workshop/*.py"):
        yield from (path.relative_to(ROOT).as_posix() for path in ROOT.glob(pattern))


def _save(level: Level) -> list[str]:
    """Save all that is not the course's own, and return under which names."""
    here = work.here()
    found = prospect(level)
    names = []
    if found.own:
        names.append(here.save(work.stem(level.challenge), here.in_the_way(level)))
    return names + here.save_commits(level)


@contextmanager
def _workers_paused(say: Say) -> Iterator[bool | None]:
    """Pause the workers meanwhile; yield whether there are any, or None if no services run."""
    if running() is None:
        yield None
        return
    say("Waiting until the worker has ended what it does ...")
    try:
        yield scaling.pause()
    finally:
        if settings.get("paused"):
            settings.change(paused=None)
