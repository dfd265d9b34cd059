"""All squares of the grid, as blocks, through the queue. ``workshop demo --country`` runs it.

The map is a picture, as on the wall.
"""

import time
from collections.abc import Callable

import sqlalchemy as sa

from backstage.classroom.wall import Wall
from backstage.stack.demo import send
from workshop import live, settings, state_folder
from workshop.database import execute
from workshop.delivery.record import uuids
from workshop.errors import WorkshopError
from workshop.maps import NATIONS

_COUNT = sa.text("""
    SELECT style_cat, count(*), count(DISTINCT grid_ref) FROM geopython.grid_squares
    WHERE task_id = ANY(:ids) GROUP BY style_cat
""").bindparams(sa.bindparam("ids", type_=sa.ARRAY(sa.Uuid)))


def run(say: Callable[[str], None], *part: int) -> None:
    """Send a task for each block of 100 squares, wait for them, and write ``country.png``.

    Parameters
    ----------
    say : callable
        Shows a line.
    *part : int
        West, south, east and north of a part of the grid, in metres (EPSG:27700); by default all of it.

    Raises
    ------
    workshop.errors.WorkshopError
        If a square is not there, or not once.
    """
    settings.check()
    began = time.monotonic()
    with settings.changed(fault_rate=0, pace=0):
        tasks = send("workshop.blocks", *map(str, part))
        live.watch(tasks)
    seconds = time.monotonic() - began
    found = execute(_COUNT, {"ids": uuids(live.task_ids(tasks))})
    counts = {code: (rows, once) for code, rows, once in found}
    target = state_folder.ROOT / "country.png"
    wall = Wall()
    wall.read(settings.database_url())
    target.write_bytes(wall.png("nation"))
    for code, (name, _) in NATIONS.items():
        say(f"{name:<18}{counts.get(code, (0, 0))[0]:>9,}")
    rows, once = (sum(numbers[n] for numbers in counts.values()) for n in (0, 1))
    rate = rows / seconds
    say(f"{len(tasks):,} tasks, {rows:,} squares in {seconds:.0f} s: {rate:,.0f} a second. The map: {target}")
    if not rows == once == sum(task.squares for task in tasks):
        raise WorkshopError("Not every square is there once.", "workshop ledger")
