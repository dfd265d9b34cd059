"""What went wrong, said to a person: one error for all that a user can cause or mend."""


class WorkshopError(Exception):
    """Something that a person can mend; shown as its sentences, without a traceback.

    Parameters
    ----------
    text : str
        What is wrong, with the value seen. If it ends in a new line, the next step has a line of its own.
    next_step : str
        What to do.
    """

    def __init__(self, text: str, next_step: str = "") -> None:
        super().__init__(text, next_step)
        self.text, self.next_step = text, next_step

    def __str__(self) -> str:
        """Say it in words."""
        between = "" if self.text.endswith("\n") else " "
        return f"{self.text}{between}Next: {self.next_step}" if self.next_step else self.text

    def _render_traceback_(self) -> list[str]:
        """Show the sentence in a notebook, and no traceback."""
        return [str(self)]


class WrongUse(WorkshopError):
    """What was asked for can't be, such as an unknown name; `backstage.cli.terminal` ends with 2 then."""
