"""How far one is, and help in steps: a text file on this machine says what was passed and looked at."""

import re
from collections.abc import Callable
from datetime import datetime
from functools import partial

from backstage.challenges import source, starters
from backstage.challenges.verdict import phrase, texts
from workshop.state_folder import state_dir

FILE = "progress.txt"


class Text(str):
    """A text that a notebook shows as it is, without quotes."""

    def __repr__(self) -> str:
        """Return the text."""
        return str(self)


def note(challenge: int, what: str) -> None:
    """Add a line, such as ``2026-11-22 13:40 challenge 1 passed``; nothing leaves this machine.

    Parameters
    ----------
    challenge : int
        A number from 1 to 5.
    what : str
        ``passed``, ``hint``, ``solution`` or ``reset``.
    """
    with (state_dir() / FILE).open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M} challenge {challenge} {what}\n")


def help_with(challenge: int) -> tuple[Callable[[], Text], Callable[[], Text]]:
    """Return the functions ``hint`` and ``solution`` of a challenge."""
    return partial(next_hint, challenge), partial(solution, challenge)


def next_hint(challenge: int) -> Text:
    """Return the next hint since the challenge was begun or reset; after the last one, the last again."""
    hints = texts()["hints"][str(challenge)]
    since_reset = " ".join(what for _, what in _lines(challenge)).rpartition("reset")[2]
    number = min(since_reset.count("hint") + 1, len(hints))
    note(challenge, "hint")
    name = "last-hint" if number == len(hints) else "hint"
    text = hints[number - 1]
    return Text(phrase(name, number=number, count=len(hints), text=text, challenge=challenge))


def solution(challenge: int) -> Text:
    """Return the solution, as the course's own files have it, and note that it was looked at.

    Raises
    ------
    WorkshopError
        If the course's own files can't be found.
    """
    parts = [
        f"# {path}\n{code}"
        for path, data in sorted(source.marked().items())
        if path.startswith(("workshop/", "notebooks/")) and path.endswith((".py", ".ipynb"))
        for code in starters.solutions(path, data, challenge)
    ]
    note(challenge, "solution")
    return Text("\n\n".join(parts))


def when_passed(challenge: int) -> str | None:
    """Return when a challenge was first passed, such as ``2026-11-22 13:40``; None if it was not yet."""
    return next((when for when, what in _lines(challenge) if what == "passed"), None)


def show() -> str:
    """Return a line for each challenge: whether it is passed, and what help was looked at."""
    return "\n".join(_line(int(number), title) for number, title in texts()["titles"].items())


def _line(number: int, title: str) -> str:
    passed = when_passed(number)
    looked = [what for _, what in _lines(number)]
    help_ = [phrase("hints-seen", count=looked.count("hint"))] if "hint" in looked else []
    help_ += [phrase("solution-seen")] if "solution" in looked else []
    state = phrase("passed", when=passed) if passed else phrase("not-passed")
    return "  ".join([f"challenge {number}", f"{title:<22}", state, ", ".join(help_)]).rstrip()


def _lines(challenge: int) -> list[tuple[str, str]]:
    """Return time and event of each line of a challenge; lines that someone else wrote are left out."""
    file = state_dir() / FILE
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return re.findall(rf"^(\S+ \S+) challenge {challenge} (\S+)$", text, re.MULTILINE)
