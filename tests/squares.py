"""Rows of many machines, written by SQL as the tables' owner: as if a class had done them."""

import random
from functools import cache

import psycopg
from PIL import Image, ImageDraw
from shapely import get_parts

from workshop.maps import NATIONS, read_boundary

MACHINES = 40

_ROWS = """
    INSERT INTO geopython.grid_squares
        (task_id, grid_ref, style_cat, x, y, geom, worker, attempt, machine, processed_at)
    SELECT gen_random_uuid(), 'made up', code, 1000 * (place % 700) + 500, 1000 * (place / 700) + 500,
           square, 'worker1@made-up', 1, machine, now() - make_interval(secs => ago)
    FROM made_up,
         ST_GeomFromText('POLYGON((0 0, 1000 0, 1000 1000, 0 1000, 0 0))', 27700) AS square
"""
_LOG = """
    INSERT INTO geopython.task_log (task_id, state, attempt, error, worker, machine, at)
    SELECT gen_random_uuid(), code, 1, 'made up', 'worker1@made-up', machine,
           now() - make_interval(secs => ago)
    FROM made_up
"""


def load(url: str, rows: int, log: int = 0, *, first: int = 0, until: float = 0, spread: float = 600) -> None:
    """Write rows and log lines of 40 machines by chance, each row in another square.

    Parameters
    ----------
    url : str
        The database, with the owner's account.
    rows, log : int
        How many of each.
    first : int
        How many squares were written before, of 910,000 in a shuffled order.
    until, spread : float
        They were done within `spread` seconds, the last one `until` seconds ago.
    """
    chance = random.Random(first)
    places = _places()[first : first + rows]
    nations = _nations()
    states = chance.choices(["RETRY", "FAILURE"], [9, 1], k=log)
    for statement, made in (
        (_ROWS, [(place, nations[place]) for place in places]),
        (_LOG, [(0, state) for state in states]),
    ):
        with psycopg.connect(url.replace("+psycopg", "")) as database:
            database.execute("CREATE TEMP TABLE made_up (place int, code text, machine text, ago float8)")
            with database.cursor().copy("COPY made_up FROM STDIN") as copy:
                for place, code in made:
                    machine = f"machine{chance.randint(1, MACHINES):02}"
                    copy.write_row((place, code, machine, until + spread * chance.random()))
            database.execute(statement)


def add(url: str, machine: str, *points: tuple[float, float], code: str = "ENG", ago: float = 0) -> None:
    """Write one row for each point, in metres (EPSG:27700), that a machine did some seconds ago."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        for x, y in points:
            database.execute(
                "INSERT INTO geopython.grid_squares"
                " (task_id, grid_ref, style_cat, x, y, geom, worker, attempt, machine, processed_at)"
                " VALUES (gen_random_uuid(), 'made up', %s, %s, %s,"
                " ST_GeomFromText('POLYGON((0 0, 1000 0, 1000 1000, 0 1000, 0 0))', 27700),"
                " 'worker1@made-up', 1, %s, now() - make_interval(secs => %s))",
                [code, x, y, machine, ago],
            )


def log(url: str, machine: str, state: str, ago: float = 0) -> None:
    """Write a line into the task log."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        database.execute(
            "INSERT INTO geopython.task_log (task_id, state, attempt, error, worker, machine, at) VALUES"
            " (gen_random_uuid(), %s, 1, 'made up', 'worker1', %s, now() - make_interval(secs => %s))",
            [state, machine, ago],
        )


def clear(url: str) -> None:
    """Empty both tables."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        database.execute("TRUNCATE geopython.grid_squares, geopython.task_log")


@cache
def _places() -> list[int]:
    return random.Random(2018).sample(range(910_000), 910_000)


@cache
def _nations() -> list[str]:
    """Return the nation of each square, drawn as a picture: right but for some squares on a coast."""
    picture = Image.new("L", (700, 1300), list(NATIONS).index("SEA"))
    draw = ImageDraw.Draw(picture)
    for nation in read_boundary().itertuples():
        for part in get_parts(nation.geom):
            points = [(x / 1000, y / 1000) for x, y in part.exterior.coords]
            draw.polygon(points, list(NATIONS).index(nation.code))
    codes = list(NATIONS)
    return [codes[number] for number in picture.tobytes()]
