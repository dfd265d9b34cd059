"""Which challenges are passed, and which hints and solutions were looked at: a text file on this machine."""

from datetime import datetime

from workshop.machine import state_dir

FILE = "progress.txt"
CHALLENGES = {1: "Put tasks on the queue", 2: "Try again", 3: "Many workers", 4: "Nothing lost"}


def note(challenge: int, what: str) -> None:
    """Add a line, such as ``2026-11-22 13:40 challenge 1 passed``; nothing leaves this machine.

    Parameters
    ----------
    challenge : int
        A number from 1 to 4.
    what : str
        ``passed``, ``hint``, ``solution`` or ``reset``.
    """
    with (state_dir() / FILE).open("a", encoding="utf-8") as file:
        file.write(f"{datetime.now():%Y-%m-%d %H:%M} challenge {challenge} {what}\n")


def hints_seen(challenge: int) -> int:
    """Return how many hints were shown since the challenge was last started afresh."""
    seen = 0
    for _, what in _lines(challenge):
        seen = 0 if what == "reset" else seen + (what == "hint")
    return seen


def when_passed(challenge: int) -> str | None:
    """Return when a challenge was first passed, such as ``2026-11-22 13:40``; None if it was not yet."""
    return next((when for when, what in _lines(challenge) if what == "passed"), None)


def show() -> str:
    """Return a line for each challenge: whether it is passed, and what help was looked at."""
    return "\n".join(_line(number, title) for number, title in CHALLENGES.items())


def _line(number: int, title: str) -> str:
    passed = when_passed(number)
    looked = [what for _, what in _lines(number)]
    hints = looked.count("hint")
    help_ = [f"hints: {hints}"] if hints else []
    help_ += ["solution looked at"] if "solution" in looked else []
    state = f"✔ passed {passed}" if passed else "○ not passed yet"
    return "  ".join([f"challenge {number}", f"{title:<22}", state, ", ".join(help_)]).rstrip()


def _lines(challenge: int) -> list[tuple[str, str]]:
    """Return time and event of each line of a challenge; lines that someone else wrote are left out."""
    try:
        text = (state_dir() / FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    words = [line.split() for line in text.splitlines()]
    return [
        (f"{line[0]} {line[1]}", line[4])
        for line in words
        if len(line) == 5 and line[2:4] == ["challenge", str(challenge)]
    ]
