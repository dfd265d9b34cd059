"""Puts the fresh starter of a challenge in place, after it has copied the work that is there.

What can keep it from being done is looked for first; then nothing is changed. No file is replaced before it
is copied, and tables and queues are emptied last. So it can be stopped at any point without a loss, and done
again.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from backstage.challenges import git, progress, source
from backstage.challenges.files import differs, in_the_way, is_courses_own, place, require_access
from backstage.challenges.starters import CHALLENGES, Level
from backstage.classroom import branches, clearing, work
from backstage.stack import control
from backstage.stack.status import running
from backstage.stack.texts import words
from workshop import settings, state_folder

Say = Callable[[str], None]


def prospect(level: Level) -> str:
    """Return in words what a reset to a level will do, and change nothing.

    Raises
    ------
    WorkshopError
        If it can't be done.
    """
    source.keep_copy()
    require_access(sorted({*work.present(), *work.files_at(level), *in_the_way(work.files_at(level))}))
    if git.is_used():
        branches.require_ready(level)
    own = _own(level)
    work.require_room(own)
    lines = [
        f"Saved first:    {work.shown(own)}",
        "Not saved:      what you typed in JupyterLab since the last Ctrl-S",
        f"Changed files:  {work.shown(_replaced(level))}",
    ]
    if site := clearing.own():
        held = ", ".join(f"{what}: {number:,}" for what, number in clearing.holdings(site).items())
        return "\n".join([*lines, f"Removed:        {held}"])
    return "\n".join([*lines, "RabbitMQ or PostGIS does not run here: squares and queues stay as they are."])


def reset(level: Level, say: Say) -> None:
    """Copy the work that is here, put a starter in place, and clear this machine's own services.

    Parameters
    ----------
    level : Level
        The challenge.
    say : callable
        Shows a line.

    Raises
    ------
    WorkshopError
        If it can't be done; nothing is changed then, or the same again completes it,
        or if the workers don't stop, or are not ready again in time.
    """
    prospect(level)
    if settings.joined():
        (state_folder.state_dir() / "joined.json").unlink()
        say("This machine left the central queue. Nothing there is touched.")
    stack = running()
    had_workers = stack and control.has_workers()
    with settings.changed(workers=0):
        if stack:
            say("Waiting until the worker has ended what it does ...")
            control.settle(seconds=75)
        _replace(level, say)
        if site := clearing.own():
            clearing.clear(site)
            say("Squares, log and queues are empty.")
    clearing.forget_settings()
    if had_workers:
        control.settle()
        say("The worker is ready with the new code.")
    progress.note(level.challenge, "reset")
    say(words("after-reset", notebook=source.notebook_of(level.challenge)))


def _replace(level: Level, say: Say) -> None:
    """Copy all work, then put a starter in place; JupyterLab saves nothing from before any more."""
    work.outdate_pages()
    own, replaced, files, brought = _own(level), _replaced(level), work.files_at(level), work.fresh()
    kept = work.new_place(level.challenge)
    if own:
        work.keep(own, kept)
    if git.is_used() and level.challenge in CHALLENGES:
        for branch in branches.stand_on(level):
            say(f"What you had committed, or staged, is kept on the branch {branch}")
    for path in replaced:
        work.put_aside(path, kept, brought)
        if path in files:
            place(path, partial(Path.write_bytes, data=files[path]))
        _forget_checkpoint(state_folder.ROOT / path)
    if kept.exists():
        name = f"my-work/{kept.name}"
        say(f"Your work is saved in {name}. To get it back: workshop restore {name}")
    say(f"The files of challenge {level.challenge} are in place.")


def _forget_checkpoint(notebook: Path) -> None:
    """Remove what JupyterLab would offer to go back to."""
    name = f"{notebook.stem}-checkpoint{notebook.suffix}"
    notebook.with_name(".ipynb_checkpoints").joinpath(name).unlink(missing_ok=True)


def _own(level: Level) -> list[str]:
    """Return the files with work; ignored ones too, where the starter has a file of that name."""
    return work.own({*work.present(), *in_the_way(work.files_at(level))})


def _replaced(level: Level) -> list[str]:
    """Return the files that are another, or gone, once the starter of a level is in place."""
    files = work.files_at(level)
    others = {path for path in work.present() if path not in files and is_courses_own(path)}
    return sorted({path for path, data in files.items() if differs(path, data)} | others)
