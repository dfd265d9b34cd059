"""A task that runs by the clock: every minute it counts the squares of each nation.

It has a queue and a worker of its own, which ``workshop up --periodic`` starts.
"""

from sqlalchemy import func, insert, select

from workshop import db
from workshop.tasks import application

application.conf.beat_schedule = {
    "count squares": {"task": "workshop.periodic.count_squares", "schedule": 60.0},
}

_counts = select(db.GridSquare.style_cat, func.count()).group_by(db.GridSquare.style_cat)
_COUNT = insert(db.NationCount).from_select(["style_cat", "squares"], _counts)


@application.task(queue="periodic")
def count_squares() -> None:
    """Write the number of squares of each nation, and the time, to the table `nation_counts`."""
    db.execute(_COUNT)
