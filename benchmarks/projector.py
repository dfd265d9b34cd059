"""Measures a frame of the projector: with 40 machines, and few or many squares in the table.

``python -m benchmarks.projector`` starts a database of its own, writes the squares by SQL, and asks for a
frame each second while further rows arrive. *first* is the first frame, which reads all rows; *next* the
following ones, *worst* the slowest of these, each with the map coloured by machine. *CPU* is for one frame:
of the projector, and of PostgreSQL.

Measured on two cores that did other work too, with 200 rows a second::

    squares  first s  next s  worst s  PNG machine KB  PNG nation KB  JSON KB  CPU ms  CPU PostgreSQL ms
      2,500     0.05   0.022    0.062              64             61      6.4      17                  3
    250,000     0.64   0.073    0.379             376            174      6.7      37                  3
    910,000     3.70   0.044    0.082             630             17      6.8      35                  4

The size of the picture is that of forty colours by chance. With nine programs waiting for the two cores the
first frame of 910,000 took 20 s, the following ones 0.16 s.
"""

import json
import statistics
import time
from threading import Event, Thread
from typing import Any

import click
import psutil
import psycopg
from pandas import DataFrame

from benchmarks.queue_choice import stack
from tests.squares import clear, load
from workshop.board import Board
from workshop.classroom.frames import content
from workshop.raster import Raster
from workshop.stack.running import running_site

_ARRIVE = """
    INSERT INTO geopython.grid_squares (task_id, grid_ref, style_cat, x, y, geom, worker, attempt, machine)
    SELECT gen_random_uuid(), 'made up', 'SEA', 700000 * random(), 1300000 * random(), square, 'made up', 1,
           'machine' || lpad((1 + floor(40 * random()))::text, 2, '0')
    FROM generate_series(1, %s), ST_GeomFromText('POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))', 27700) AS square
"""


def arrive(url: str, rate: int, ended: Event) -> None:
    """Write rows of many machines into the table, so many per second, until it has ended."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as database:
        while not ended.wait(0.1):
            database.execute(_ARRIVE, [rate // 10])


def measure(url: str, squares: int, frames: int, rate: int) -> dict[str, Any]:
    """Return the figures of one size of the table."""
    clear(url)
    load(url, squares, squares // 50, until=20)
    board = Board(url)
    began = time.perf_counter()
    _frame(board)
    first = time.perf_counter() - began
    postgres = _backend(url)
    ended = Event()
    rows = Thread(target=arrive, args=(url, rate, ended))
    rows.start()
    took, own, servers = [], [], []
    for _ in range(frames):
        time.sleep(1)
        before = time.perf_counter(), time.thread_time(), sum(postgres.cpu_times()[:2])
        words, raster = _frame(board)
        took.append(time.perf_counter() - before[0])
        own.append(time.thread_time() - before[1])
        servers.append(sum(postgres.cpu_times()[:2]) - before[2])
    ended.set()
    rows.join()
    board.close()
    return {
        "squares": f"{squares:,}",
        "first s": round(first, 2),
        "next s": round(statistics.median(took), 3),
        "worst s": round(max(took), 3),
        "PNG machine KB": len(raster.png("machine")) // 1000,
        "PNG nation KB": len(raster.png("nation")) // 1000,
        "JSON KB": round(len(words) / 1000, 1),
        "CPU ms": round(1000 * statistics.mean(own)),
        "CPU PostgreSQL ms": round(1000 * statistics.mean(servers)),
    }


def _frame(board: Board) -> tuple[bytes, Raster]:
    standing = board.look()
    words = json.dumps(content("Central", standing, 20_000)).encode()
    standing.raster.png("machine")
    return words, standing.raster


def _backend(url: str) -> psutil.Process:
    query = "SELECT pid FROM pg_stat_activity WHERE application_name = 'projector'"
    with psycopg.connect(url.replace("+psycopg", "")) as database:
        found = database.execute(query).fetchone()
    assert found
    return psutil.Process(found[0])


@click.command()
@click.option(
    "--size", multiple=True, default=[2_500, 250_000, 910_000], help="How many squares; repeatable."
)
@click.option("--frames", default=30, help="How many frames after the first.")
@click.option("--rate", default=200, help="Rows that arrive per second meanwhile.")
def main(size: list[int], frames: int, rate: int) -> None:
    """Measure all sizes one after the other, and print a table."""
    with stack("postgis"):
        site = running_site()
        assert site is not None
        Raster().png("machine")  # reads the coast, once
        results = [measure(site.database_url, each, frames, rate) for each in size]
    click.echo(DataFrame(results).to_string(index=False))


if __name__ == "__main__":
    main()
