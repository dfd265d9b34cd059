"""Work worth sharing: puts every square of the country, or of a part of it, on the central queue.

The squares come shuffled, so that the map fills evenly. At most `MOST_WAITING` of them wait at a time: not to
feed is the pause. The table `fill_tasks` of the central's database has each task before it is sent, and the
time at which RabbitMQ had it. What was on its way when a feeding ended is sent again by the next one, under
the same id, which makes one row.
"""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg
from amqp import Channel
from amqp.exceptions import AMQPError, PreconditionFailed
from celery import Celery
from kombu import Connection, Producer
from kombu.exceptions import OperationalError
from tqdm import tqdm

from backstage.classroom import country
from backstage.classroom.central import site
from workshop import grid
from workshop.delivery.addresses import broker_trouble, database_trouble
from workshop.delivery.topology import SQUARES
from workshop.errors import WorkshopError

MOST_WAITING = 20_000
"""Messages in the queue `squares`, beyond which no more are fed."""

BATCH_TASKS = 1000
"""Tasks that are noted, sent and confirmed together."""

TASK = "workshop.tasks.do_task"
"""Its module is not imported here: attendees edit it."""

_ANSWER_SECONDS = 10
"""How long RabbitMQ may take for an answer; after that a batch is sent again."""

_TABLE = """
CREATE TABLE IF NOT EXISTS geopython.fill_tasks (
    task_id uuid PRIMARY KEY DEFAULT gen_random_uuid(), x float8, y float8, grid_ref text, style_cat text,
    sent timestamptz, UNIQUE (x, y))
"""
_NOTE = """
INSERT INTO geopython.fill_tasks (x, y, grid_ref, style_cat) VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
"""
_UNSENT = "SELECT task_id, x, y FROM geopython.fill_tasks WHERE sent IS NULL LIMIT %s"
_SENT = "UPDATE geopython.fill_tasks SET sent = now() WHERE task_id = ANY(%s)"

_SESSION = "class fill "
"""How a feeding's session at the database is called, before the number of squares that are left."""

_LEFT = """
SELECT coalesce(sum(replace(application_name, %(name)s, '')::int), 0) FROM pg_stat_activity
WHERE starts_with(application_name, %(name)s) AND usename = current_user
"""


@contextmanager
def database() -> Iterator[psycopg.Connection]:
    """Open the central's database, which has the table `fill_tasks` then.

    Raises
    ------
    WorkshopError
        If no central runs on this machine.
    """
    with _connect(site().database_url) as connection:
        connection.execute(_TABLE)
        yield connection


def waiting(broker_url: str) -> int:
    """Return how many tasks wait in the queue `squares`, which no worker has taken yet.

    Raises
    ------
    OSError, amqp.exceptions.AMQPError, kombu.exceptions.KombuError
        If RabbitMQ does not answer or has no such queue.
    """
    with _broker(broker_url) as channel:
        return SQUARES(channel).queue_declare(passive=True).message_count


def unfed(database_url: str) -> int:
    """Return how many squares `workshop class fill` has still to put on the queue; 0 unless it is at it."""
    with _connect(database_url) as connection:
        return connection.execute(_LEFT, {"name": _SESSION}).fetchall()[0][0]


def fill(part: str = country.LAND, tasks: int | None = None) -> tuple[int, int]:
    """Feed the squares of a part, those that were not fed yet, until all are on the queue, or to Ctrl-C.

    Parameters
    ----------
    part : str
        As `backstage.classroom.country.centres` takes it.
    tasks : int, optional
        After how many to stop; by default none is left.

    Returns
    -------
    tuple of int
        How many squares of the part were fed, ever, and how many it has.

    Raises
    ------
    WrongUse
        If there is no such part.
    WorkshopError
        If no central runs on this machine, or it has ended or was cleared meanwhile.
    """
    points = set(country.centres(part))
    with database() as connection:
        noted = connection.execute("SELECT x, y FROM geopython.fill_tasks").fetchall()
    rest = list(points.difference(noted))
    random.shuffle(rest)
    with suppress(KeyboardInterrupt):
        feed(rest[:tasks])
    with database() as connection:
        sent = connection.execute("SELECT x, y FROM geopython.fill_tasks WHERE sent IS NOT NULL").fetchall()
    return len(points.intersection(sent)), len(points)


def feed(points: list[country.Point]) -> None:
    """Send the tasks that RabbitMQ has not confirmed, then those of new squares, through faults of services.

    Parameters
    ----------
    points : list of tuple
        The centres of the new squares, in metres (EPSG:27700). Those that are noted leave the list.

    Raises
    ------
    WorkshopError
        If the central was cleared meanwhile.
    KeyboardInterrupt
        Between two batches, after Ctrl-C.
    """
    told: tuple[str, int] | None = None
    with tqdm(total=len(points), unit=" squares", disable=None) as bar, _ctrl_c() as pressed:
        while not pressed:
            try:
                _feed(points, pressed, bar)
                break
            except psycopg.errors.UndefinedTable as error:
                raise WorkshopError("The central was cleared meanwhile, so this feeding ends.") from error
            except (AMQPError, OperationalError, OSError, psycopg.OperationalError) as error:
                now = (_why(error), len(points))
                if now != told:
                    tqdm.write(f"{now[0]} Nothing is lost: it goes on by itself. Ctrl-C is the pause.")
                told = now
                time.sleep(1)
        if pressed:
            raise KeyboardInterrupt


def _feed(points: list[country.Point], pressed: list[int], bar: tqdm) -> None:
    here = site()
    with (
        _connect(here.database_url) as connection,
        _broker(here.broker_url) as channel,
        Celery(broker=here.broker_url, set_as_current=False) as app,
    ):
        app.config_from_object("workshop.delivery.configuration")
        producer = Producer(channel, auto_declare=False)
        channel.tx_select()  # RabbitMQ takes a batch as a whole, or not
        while not pressed and (batch := _next(connection, points)):
            queued = SQUARES(channel).queue_declare(passive=True).message_count
            bar.set_postfix_str(f"{queued:,} wait in the queue")
            if queued + len(batch) > MOST_WAITING:
                time.sleep(0.5)
                continue
            for id, x, y in batch:
                app.send_task(TASK, (x, y), task_id=str(id), producer=producer, retry=False)
            channel.tx_commit()
            connection.execute(_SENT, [[id for id, _, _ in batch]])
            bar.update(len(batch))


def _next(connection: psycopg.Connection, points: list[country.Point]) -> list[tuple]:
    """Return ids and points that RabbitMQ has not confirmed; once there are none, those of new squares."""
    while not (batch := connection.execute(_UNSENT, [BATCH_TASKS]).fetchall()) and points:
        fresh = points[:BATCH_TASKS]
        nations = zip(fresh, country.nations_at(fresh), strict=True)
        rows = [(x, y, grid.reference(x, y), nation) for (x, y), nation in nations]
        connection.cursor().executemany(_NOTE, rows)
        del points[:BATCH_TASKS]
    left = f"{_SESSION}{len(points) + len(batch)}"
    connection.execute("SELECT set_config('application_name', %s, false)", [left])
    return batch


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Yield a list in which Ctrl-C is noted; as an exception, a library's clean-up may swallow it.

    Ctrl-C once more is an exception, for a feeding that waits for a service without an end.
    """
    pressed: list[int] = []

    def note(number: int, frame: object) -> None:
        pressed.append(number)
        signal.signal(number, before)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _connect(database_url: str) -> psycopg.Connection:
    return psycopg.connect(database_url.replace("+psycopg", ""), connect_timeout=5, autocommit=True)


@contextmanager
def _broker(broker_url: str) -> Iterator[Channel]:
    limits = {"read_timeout": _ANSWER_SECONDS, "write_timeout": _ANSWER_SECONDS}
    with Connection(broker_url, connect_timeout=3, transport_options=limits) as connection:
        yield connection.channel()


def _why(error: Exception) -> str:
    if isinstance(error, PreconditionFailed):
        return "RabbitMQ refused a batch: its queue is full."
    found = broker_trouble(site().broker_url) or database_trouble(site().database_url)
    return found.text if found else f"A connection broke: {error}."
