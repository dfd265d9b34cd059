"""Help in steps: hints one after the other, and the solution for those who ask."""

from collections.abc import Sequence

from workshop.challenges import progress, source, starters


class Text(str):
    """A text that a notebook shows as it is, without quotes."""

    def __repr__(self) -> str:
        """Return the text."""
        return str(self)


def next_hint(challenge: int, hints: Sequence[str]) -> Text:
    """Return the next hint; after the last one, the last again.

    Parameters
    ----------
    challenge : int
        A number from 1 to 4.
    hints : sequence of str
        From a nudge to nearly the answer.
    """
    number = min(progress.hints_seen(challenge), len(hints) - 1)
    progress.note(challenge, "hint")
    last = number + 1 == len(hints)
    step, what = ("the solution", "solution") if last else ("the next hint", "hint")
    more = f"For {step}: challenge_{challenge}.{what}(), or workshop {what} {challenge}"
    return Text(f"Hint {number + 1} of {len(hints)}: {hints[number]}\n{more}")


def solution(challenge: int) -> Text:
    """Return the solution, as the course's own files have it, and note that it was looked at.

    Raises
    ------
    workshop.challenges.source.NoSource
        If the course's own files can't be found.
    """
    files = source.find().marked()
    parts = [
        f"# {path}\n{code}"
        for path, file in sorted(files.items())
        if path.startswith(("workshop/", "notebooks/")) and path.endswith((".py", ".ipynb"))
        for code in starters.solutions(path, file.data, challenge)
    ]
    progress.note(challenge, "solution")
    return Text("\n\n".join(parts))
