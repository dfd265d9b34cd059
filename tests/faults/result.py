"""What one run found."""

from dataclasses import dataclass, field

from tests.faults.tally import Tally


@dataclass
class Struck:
    """A fault that struck.

    Attributes
    ----------
    kind, detail : str
        What happened, and to what exactly.
    at : float
        Seconds since the run began.
    in_flight : int
        Tasks that workers held at that moment.
    back : float
        Seconds until all services were ready again and tasks went on.
    """

    kind: str
    detail: str
    at: float
    in_flight: int
    back: float | None = None


@dataclass
class Result:
    """A whole run.

    Attributes
    ----------
    seconds : float
        How long it took, without starting and stopping.
    tally : Tally
        What became of the tasks.
    faults : list of Struck
        What struck.
    ended, ended_after_outage : list of str
        Workers that ended without having been killed by the timetable, and how: at any time, and after the
        broker had been away, when Celery's do that by themselves.
    raised : dict
        How often sending raised what; each was sent again under its id.
    longest_send : float
        Seconds.
    stuck : str
        What the run waited for in vain, if it was given up.
    """

    seconds: float
    tally: Tally
    faults: list[Struck] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    ended_after_outage: list[str] = field(default_factory=list)
    raised: dict[str, int] = field(default_factory=dict)
    longest_send: float = 0
    stuck: str = ""

    @property
    def good(self) -> bool:
        """Whether the promise held: nothing lost or twice, all malformed refused, no worker stopped."""
        count = self.tally
        whole = not (count.lost or count.twice or count.dead or count.not_refused or count.strangers)
        return whole and not (self.ended or count.waiting or self.stuck)
