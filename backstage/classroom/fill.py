"""Work worth sharing: puts every square of the country, or of a part of it, on the central queue.

The squares come in one shuffled order, so that the map fills evenly. At most `MOST_WAITING` of them wait at a
time: not to feed is the pause. ``fill.json`` in the central's folder says how far each part is. A square's
task has an id made of the secret run and the square's reference, so nothing is written down for each of them,
and one that is sent twice makes one row.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from uuid import UUID, uuid4, uuid5

import numpy as np
from amqp.exceptions import AMQPError
from kombu import Connection
from kombu.exceptions import OperationalError
from numpy.typing import NDArray
from tqdm import tqdm

from backstage.classroom import country
from backstage.classroom.central import site
from workshop import state_folder
from workshop.delivery.addresses import broker_trouble
from workshop.delivery.batches import NotTaken, Sender, Task
from workshop.delivery.topology import SQUARES
from workshop.errors import WorkshopError

MOST_WAITING = 20_000
"""Messages in the queue `squares`, beyond which no more are fed."""

BATCH = 1000
"""Squares that are sent, confirmed and noted together: no more are ever unconfirmed."""

FILE = "central/fill.json"

Say = Callable[[str], None]


@dataclass
class Fill:
    """What was fed to the central of this machine.

    Attributes
    ----------
    run : str
        A random UUID. Who knows it knows the id of every square's task.
    seed : int
        Makes the order of all squares.
    fed : dict of str to int
        How many squares of each part, counted along the order, RabbitMQ has confirmed.
    todo : int
        How many squares the feeding that goes on now has still to send.
    """

    run: str = field(default_factory=lambda: str(uuid4()))
    seed: int = field(default_factory=lambda: uuid4().int % 2**32)
    fed: dict[str, int] = field(default_factory=dict)
    todo: int = 0

    def order(self, part: str) -> country.Numbers:
        """Return the numbers of a part's squares in the order in which they are fed."""
        every = np.random.default_rng(self.seed).permutation(country.COLUMNS * country.ROWS)
        return every[country.squares_of(part)[every]]

    def squares(self, ahead: int = 0) -> NDArray[np.bool_]:
        """Return for each square of the grid whether it was fed, or is among the next `ahead` of its part."""
        found = np.zeros(country.COLUMNS * country.ROWS, dtype=bool)
        for part, fed in self.fed.items():
            found[self.order(part)[: fed + ahead]] = True
        return found

    def tasks(self, numbers: country.Numbers) -> list[Task]:
        """Return the tasks of squares: each an id, and the square's centre in metres (EPSG:27700)."""
        run, (x, y) = UUID(self.run), country.centres(numbers)
        ids = [uuid5(run, reference) for reference in country.references(x, y)]
        return list(zip(ids, x.tolist(), y.tolist(), strict=True))


def read() -> Fill:
    """Return what was fed so far; a new run if nothing was."""
    return Fill(**state_folder.read(FILE))


def waiting(broker_url: str) -> int:
    """Return how many tasks wait in the queue `squares`, which no worker has taken yet.

    Raises
    ------
    OSError, amqp.exceptions.AMQPError, kombu.exceptions.KombuError
        If RabbitMQ does not answer or has no such queue.
    """
    limits = {"read_timeout": 5, "write_timeout": 5}
    with (
        Connection(broker_url, connect_timeout=3, transport_options=limits) as connection,
        connection.channel() as channel,
    ):
        return SQUARES(channel).queue_declare(passive=True).message_count


def fill(part: str = country.LAND, tasks: int | None = None, say: Say = tqdm.write) -> tuple[int, int]:
    """Feed the squares of a part, those that were not fed yet, until all are on the queue.

    Parameters
    ----------
    part : str
        As `backstage.classroom.country.squares_of` takes it.
    tasks : int, optional
        After how many to stop; by default none is left.
    say : callable
        Shows a line, such as why it waits.

    Returns
    -------
    tuple of int
        How many squares of the part were fed, ever, and how many it has.

    Raises
    ------
    WorkshopError
        If no central runs on this machine, or it has ended meanwhile,
        or if there is no such part,
        or if the central was cleared meanwhile.
    """
    site()
    now = read()
    order, done = now.order(part), now.fed.get(part, 0)
    others = {name: fed for name, fed in now.fed.items() if name != part}
    elsewhere = Fill(now.run, now.seed, others).squares()
    end = len(order) if tasks is None else min(done + tasks, len(order))

    def note(confirmed: int) -> None:
        kept = read()
        if kept.run != now.run:
            raise WorkshopError("The central was cleared meanwhile, so this feeding ends.")
        now.fed = kept.fed | {part: done + confirmed}
        now.todo = int(np.count_nonzero(~elsewhere[order[done + confirmed : end]]))
        state_folder.write(FILE, asdict(now))

    now.fed[part] = done
    state_folder.write(FILE, asdict(now))  # the run is on disk before the first of its ids is anywhere
    try:
        with tqdm(total=len(order), initial=done, unit=" squares", disable=None) as line:
            feed(now, order[done:end], say, note, line, leave_out=elsewhere)
    finally:
        if read().run == now.run:
            state_folder.write(FILE, asdict(read()) | {"todo": 0})
    return now.fed.get(part, done), len(order)


def feed(
    now: Fill,
    numbers: country.Numbers,
    say: Say,
    note: Callable[[int], None] = lambda confirmed: None,
    line: tqdm = None,
    leave_out: NDArray[np.bool_] | None = None,
) -> None:
    """Put squares on the central queue in batches, through faults of the broker, never too many at a time.

    Parameters
    ----------
    now : Fill
        Whose ids the tasks get.
    numbers : array of int
        The squares.
    say : callable
        Shows a line.
    note : callable
        Called after each batch with the number of squares that RabbitMQ has confirmed so far.
    line : tqdm, optional
        The progress bar.
    leave_out : array of bool, optional
        For each square of the grid whether it counts as fed already.
    """
    sender, done, said = None, 0, ""
    try:
        while done < len(numbers):
            try:
                sender = sender or Sender(site().broker_url)
                waiting = sender.waiting()
                batch = numbers[done : done + BATCH]
                if waiting + len(batch) > MOST_WAITING:
                    _show(line, f"{waiting:,} wait in the queue")
                    note(done)  # it still feeds
                    time.sleep(0.2)
                    continue
                fresh = batch if leave_out is None else batch[~leave_out[batch]]
                sender.send(now.tasks(fresh))
            except (AMQPError, OperationalError, OSError, NotTaken) as error:
                if sender:
                    sender.close()
                sender, known, said = None, said, _why(error)
                if said != known:
                    say(f"{said} Nothing is lost: it goes on when RabbitMQ does. Ctrl-C is the pause.")
                time.sleep(1)
                continue
            done, said = done + len(batch), ""
            note(done)
            if line is not None:
                line.update(len(batch))
            _show(line, f"{waiting + len(fresh):,} wait in the queue")
    finally:
        if sender:
            sender.close()


def _show(line: tqdm, text: str) -> None:
    if line is not None:
        line.set_postfix_str(text)


def _why(error: Exception) -> str:
    if isinstance(error, NotTaken):
        return str(error)
    trouble = broker_trouble(site().broker_url)
    return trouble.text if trouble else "The connection to RabbitMQ broke."
