"""Work worth sharing: puts every square of the country, or of a part of it, on the central queue.

The squares come shuffled, so that the map fills evenly. At most `MOST_WAITING` of them wait at a time: not to
feed is the pause. The table `fill_tasks` of the central's database has the tasks that RabbitMQ took. The task
of a square has the same id whenever it is sent, which makes one row; so what was on its way when a feeding
broke off is just sent once more.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from amqp.exceptions import AMQPError
from kombu.exceptions import OperationalError
from tqdm import tqdm

from backstage.challenges.program import TASK
from backstage.classroom import country
from backstage.classroom.cards import site
from workshop import grid
from workshop.database import engine
from workshop.delivery.addresses import broker_trouble, database_trouble
from workshop.delivery.ledger import tasks_in_queue
from workshop.delivery.publisher import NotSent, flush, send, task_message
from workshop.errors import WorkshopError

MOST_WAITING = 20_000
"""Messages in the queue `squares`, beyond which no more are fed."""

BATCH_TASKS = 1000
"""Tasks that are written down together, once RabbitMQ has confirmed each."""

_TABLE = """
CREATE TABLE IF NOT EXISTS geopython.fill_tasks (
    task_id uuid PRIMARY KEY, x float8, y float8, grid_ref text, style_cat text,
    sent timestamptz DEFAULT now())
"""
_WHICH = "SELECT 'geopython.fill_tasks'::regclass::oid"

# Nobody can guess an id before it is sent. A feeding at the same time waits here for a square that this one
# sends, and does not send it again.
_FEED = """
INSERT INTO geopython.fill_tasks AS fed (task_id, x, y, grid_ref, style_cat)
SELECT md5(%s || grid_ref)::uuid, x, y, grid_ref,
       coalesce((SELECT min(code) FROM geopython.uk_boundary
                 WHERE ST_Intersects(geom, ST_SetSRID(ST_Point(x, y), 27700))), 'SEA')
FROM unnest(%s::float8[], %s::float8[], %s::text[]) AS batch (x, y, grid_ref)
ON CONFLICT (task_id) DO UPDATE SET sent = now() WHERE %s RETURNING task_id, x, y
"""

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


def unfed(database_url: str) -> int:
    """Return how many squares `workshop class fill` has still to put on the queue; 0 unless it is at it."""
    with engine(database_url).connect() as connection:
        return connection.exec_driver_sql(_LEFT, {"name": _SESSION}).scalar_one()


def fill(part: str = country.LAND, tasks: int | None = None) -> tuple[int, int]:
    """Feed the squares of a part, those that were not fed yet, until all are on the queue, or to Ctrl-C.

    Parameters
    ----------
    part : str
        As `backstage.classroom.country.squares` takes it.
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
    with database() as connection:
        squares = country.squares(connection, part)
    rest = [(x, y) for x, y, fed in squares if not fed]
    return len(squares) - len(rest) + feed(rest[:tasks]), len(squares)


def feed(points: list[country.Point], again: bool = False) -> int:
    """Send the tasks of squares, through faults of services, until Ctrl-C.

    Parameters
    ----------
    points : list of tuple
        The centres of the squares, in metres (EPSG:27700).
    again : bool
        Whether to send those too that were fed before.

    Returns
    -------
    int
        How many of them were fed.

    Raises
    ------
    WorkshopError
        If the central has ended or was cleared meanwhile.
    """
    rest, told = list(points), ("", 0)
    with database() as connection:
        table = connection.execute(_WHICH).fetchall()
    with tqdm(total=len(rest), unit=" squares", disable=None) as bar, _ctrl_c() as pressed:
        while rest and not pressed:
            try:
                _feed(rest, again, table, pressed, bar)
            except psycopg.errors.UndefinedTable as error:
                raise WorkshopError("The central was cleared meanwhile, so this feeding ends.") from error
            except (NotSent, AMQPError, OperationalError, OSError, psycopg.OperationalError) as error:
                now = (_why(error), len(rest))
                if now != told:
                    tqdm.write(f"{now[0]} Nothing is lost: it goes on by itself. Ctrl-C is the pause.")
                told = now
                time.sleep(1)
    return len(points) - len(rest)


def _feed(rest: list[country.Point], again: bool, table: list, pressed: list[int], bar: tqdm) -> None:
    """Send tasks in batches, which leave the list."""
    here = site()
    with _connect(here.database_url) as database:
        while rest and not pressed:
            database.execute("SELECT set_config('application_name', %s, false)", [f"{_SESSION}{len(rest)}"])
            queued = tasks_in_queue(here.broker_url)
            bar.set_postfix_str(f"{queued:,} wait in the queue")
            batch = sorted(rest[:BATCH_TASKS])
            if queued + len(batch) > MOST_WAITING:
                time.sleep(0.5)
                continue
            columns = [*map(list, zip(*batch, strict=True)), [grid.reference(*point) for point in batch]]
            with database.transaction():
                sent = database.execute(_FEED, [here.token, *columns, again]).fetchall()
                if database.execute(_WHICH).fetchall() != table:
                    raise psycopg.errors.UndefinedTable  # it was made anew since
                for id, x, y in sent:
                    send(task_message(str(id), TASK, (x, y), recorded=False), here.broker_url)
                flush()
            del rest[:BATCH_TASKS]
            bar.update(len(batch))


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


def _why(error: Exception) -> str:
    if isinstance(error, NotSent):
        return error.why
    found = broker_trouble(site().broker_url) or database_trouble(site().database_url)
    return found.text if found else f"A connection broke: {error}."
