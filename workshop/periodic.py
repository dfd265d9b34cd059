"""A task that runs by the clock: every minute it counts the squares of each nation.

It has a queue and a worker of its own:
``celery -A workshop.periodic worker --beat -Q periodic -c 1 -n periodic@%h``
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from workshop import db
from workshop.database import engine, execute
from workshop.state_folder import state_dir
from workshop.tasks import AppBaseTask, application

application.conf.beat_schedule_filename = str(state_dir() / "beat-schedule")
application.conf.beat_schedule = {
    "count squares": {"task": "workshop.periodic.count_squares", "schedule": 60.0},
}


class NationCount(db.Base):
    """How many squares a nation had at one time."""

    __tablename__ = "nation_counts"
    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    style_cat: Mapped[str]
    squares: Mapped[int]
    counted_at: Mapped[datetime] = mapped_column(server_default=sa.func.now())


_counts = sa.select(db.GridSquare.style_cat, sa.func.count()).group_by(db.GridSquare.style_cat)
_COUNT = sa.insert(NationCount).from_select(["style_cat", "squares"], _counts)


@application.task(base=AppBaseTask)
def count_squares() -> None:
    """Write the number of squares of each nation, and the time, to the table `nation_counts`."""
    db.Base.metadata.create_all(engine())
    execute(_COUNT)
