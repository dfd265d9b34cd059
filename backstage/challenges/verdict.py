"""What a verdict is: a code that stays, the evidence in numbers, and one next step, in words.

All words are data, in ``texts.toml``, so that they can be read, corrected and translated in one place.
"""

import tomllib
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

PASSED, NOT_YET, NOT_ATTEMPTED = "passed", "not yet", "not attempted"
ENVIRONMENT, RUNNING = "the environment is at fault", "still running"

_ENDS = {"PASSED": PASSED, "NOT-ATTEMPTED": NOT_ATTEMPTED, "RUNNING": RUNNING}
_SIGNS = {PASSED: "✔", NOT_YET: "✘", NOT_ATTEMPTED: "○", ENVIRONMENT: "!", RUNNING: "…"}


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    Attributes
    ----------
    code : str
        Names the verdict, such as ``C2-RETRY-SWALLOWED``; it never changes.
    text : str
        At most three short sentences: what was seen, and the next step.
    numbers : dict
        The evidence.
    notes : tuple of str
        What else is worth knowing; it changes nothing.
    """

    code: str
    text: str
    numbers: dict[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """Passed, not yet, not attempted, still running, or the environment is at fault."""
        if self.code.startswith("ENV-"):
            return ENVIRONMENT
        return _ENDS.get(self.code.partition("-")[2], NOT_YET)

    def __repr__(self) -> str:
        """Show it as a person reads it: the code first."""
        lines = [f"{self.code} {_SIGNS[self.kind]} {self.kind}", *self.text.split("\n")]
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])

    def noting(self, *notes: str) -> "Verdict":
        """Return this verdict with further notes."""
        return replace(self, notes=(*self.notes, *notes))


@cache
def texts() -> dict[str, dict[str, Any]]:
    """Return ``texts.toml``: tables of verdicts, hints, titles and phrases."""
    return tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))


def say(code: str, **numbers: Any) -> Verdict:
    """Return a verdict.

    Parameters
    ----------
    code : str
        Its code.
    **numbers
        The evidence, for the places in its text.
    """
    return Verdict(code, texts()["verdicts"][code].format(**numbers), numbers)


def phrase(name: str, **values: Any) -> str:
    """Return a text that is no verdict of its own.

    Parameters
    ----------
    name : str
        Its name in the table of phrases.
    **values
        What belongs in its places.
    """
    return texts()["phrases"][name].format(**values)
