"""What one run found: what struck, and what became of every task and every malformed message."""

from dataclasses import dataclass, field

from tests.faults import malformed
from tests.faults.producer import Producer
from tests.integration.machine import Machine


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
class Tally:
    """The exact end of a run.

    Attributes
    ----------
    accepted, rows : int
        Tasks that the producer was told were accepted, and those of them with a row.
    lost : list of str
        Accepted tasks with neither row nor dead letter, wherever they are.
    twice : int
        Rows beyond the first of a task.
    dead : list of str
        Accepted tasks that ended as dead letters, each with its reason.
    malformed, refused : int
        Malformed messages that were sent, and those among the dead letters.
    not_refused : list of int
        The numbers of the others.
    strangers : int
        Rows of no task that was sent: malformed messages that ran.
    waiting : int
        Messages left in the queue.
    failures, retries, used : int
        Lines in the task log, and rows of a second attempt: a budget that something used.
    """

    accepted: int
    rows: int
    lost: list[str]
    twice: int
    dead: list[str]
    malformed: int
    refused: int
    not_refused: list[int] = field(default_factory=list)
    strangers: int = 0
    waiting: int = 0
    failures: int = 0
    retries: int = 0
    used: int = 0


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


def tally(machine: Machine, producer: Producer, known: set[str]) -> Tally:
    """Count from the tables and queues themselves; the dead letters are taken out of theirs.

    Parameters
    ----------
    machine : tests.integration.machine.Machine
        The private stack.
    producer : Producer
        Who sent.
    known : set of str
        All tasks that were to be sent; rows of any other are strangers.
    """
    rows = dict(machine.sql("SELECT task_id::text, count(*) FROM geopython.grid_squares GROUP BY task_id"))
    reasons, refused = _dead_letters(machine)
    ours = producer.accepted & rows.keys()
    dead = producer.accepted & reasons.keys()
    log = dict(machine.sql("SELECT state, count(*) FROM geopython.task_log GROUP BY state"))
    used = machine.sql("SELECT count(*) FROM geopython.grid_squares WHERE attempt > 1")
    with machine.amqp() as connection, connection.channel() as channel:
        waiting = channel.queue_declare("squares", passive=True).message_count
    return Tally(
        accepted=len(producer.accepted),
        rows=len(ours),
        lost=sorted(producer.accepted - ours - dead),
        twice=sum(rows[id] - 1 for id in ours),
        dead=[f"{id} ({reasons[id]})" for id in sorted(dead)],
        malformed=len(producer.malformed),
        refused=len(producer.malformed & refused),
        not_refused=sorted(producer.malformed - refused),
        strangers=len(rows.keys() - known),
        waiting=waiting,
        failures=log.get("FAILURE", 0),
        retries=log.get("RETRY", 0),
        used=used[0][0],
    )


def _dead_letters(machine: Machine) -> tuple[dict[str, str], set[int]]:
    """Take all dead letters; return the reasons of tasks by id, and the numbers of malformed messages."""
    reasons: dict[str, str] = {}
    numbers: set[int] = set()
    with machine.amqp() as connection, connection.channel() as channel:
        while (message := channel.basic_get("dead")) is not None:
            channel.basic_ack(message.delivery_tag)
            number = (message.headers or {}).get(malformed.NUMBER)
            if number is None:
                reasons[str(message.headers["id"])] = str(message.headers.get("reason"))
            else:
                numbers.add(number)
    return reasons, numbers
