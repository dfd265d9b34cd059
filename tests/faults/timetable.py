"""What is sent and what is broken in one run, all drawn from a seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

ALL = {
    "worker killed": 3,
    "child killed": 5,
    "broker killed": 1,
    "broker restarted": 1,
    "database killed": 1,
    "database crashed": 1,
    "network cut": 1,
    "frozen": 1,
}
"""The faults of a full run."""

FEW = {kind: 1 for kind in ALL if kind not in ("broker restarted", "database crashed")}
"""The faults of a short run."""

_LAST = 0.9
"""By this share of the tasks all faults have struck: the sender is still at work then."""


@dataclass(frozen=True)
class Sending:
    """One message to send.

    Attributes
    ----------
    kind : str
        ``task``, ``duplicate`` (the same task once more) or ``malformed``.
    number : int
        Which task, or which malformed message.
    """

    kind: str
    number: int


@dataclass(frozen=True)
class Fault:
    """One thing to break.

    Attributes
    ----------
    kind : str
        One of the keys of `ALL`.
    due : int
        It strikes when workers have taken this many tasks.
    choice : float
        From 0 to 1: which of several processes or services it hits.
    """

    kind: str
    due: int
    choice: float


@dataclass(frozen=True)
class Task:
    """A task to send: its id and its point."""

    id: str
    x: int
    y: int


@dataclass(frozen=True)
class Timetable:
    """One whole run."""

    tasks: list[Task]
    sendings: list[Sending]
    faults: list[Fault]


def draw(seed: int, tasks: int, faults: Mapping[str, int], duplicates: int, malformed: int) -> Timetable:
    """Draw a run.

    Parameters
    ----------
    seed : int
        The same seed and numbers make the same run.
    tasks : int
        How many tasks.
    faults : mapping
        How many faults of each kind.
    duplicates : int
        How many tasks are sent twice.
    malformed : int
        How many malformed messages to send among the tasks.
    """
    chance = random.Random(seed)
    points = [_task(chance) for _ in range(tasks)]
    places: list[tuple[float, Sending]] = [(number, Sending("task", number)) for number in range(tasks)]
    for number in chance.sample(range(tasks), duplicates):
        places.append((number + chance.uniform(0.5, tasks / 10), Sending("duplicate", number)))
    places += [
        (chance.uniform(0.02, _LAST) * tasks, Sending("malformed", number)) for number in range(malformed)
    ]
    places.sort(key=lambda place: place[0])
    return Timetable(points, [sending for _, sending in places], _faults(chance, tasks, faults))


def _task(chance: random.Random) -> Task:
    id = str(UUID(int=chance.getrandbits(128), version=4))
    return Task(id, chance.randrange(700_000), chance.randrange(1_300_000))


def _faults(chance: random.Random, tasks: int, faults: Mapping[str, int]) -> list[Fault]:
    kinds = [kind for kind, count in faults.items() for _ in range(count)]
    chance.shuffle(kinds)
    slot = _LAST * tasks / max(1, len(kinds))
    return [
        Fault(kind, int((number + chance.uniform(0.2, 0.8)) * slot), chance.random())
        for number, kind in enumerate(kinds)
    ]
