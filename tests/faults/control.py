"""What the course is compared with: the logic of 2018, as its README shows it, with Celery's defaults.

No configuration, so: acknowledged before the task runs, four messages per process fetched ahead, no confirms.
A plain INSERT, to which a second run of a task is a second row. It is never improved.
"""

import os
import time

import sqlalchemy as sa
from celery import Celery

application = Celery("tasks", broker=os.environ.get("CONTROL_BROKER_URL"))

TABLE = "geopython.control_squares"
CREATE = f"""
    CREATE TABLE IF NOT EXISTS {TABLE} (
        id serial PRIMARY KEY, task_id text, x float, y float, style_cat text, geom geometry(Polygon, 27700)
    )
"""
_INSERT = sa.text(f"""
    INSERT INTO {TABLE} (task_id, x, y, style_cat, geom)
    SELECT :task_id, :x, :y,
           coalesce((SELECT min(code) FROM geopython.uk_boundary AS nation
                     WHERE ST_Intersects(nation.geom, ST_SetSRID(ST_Point(:x, :y), 27700))), 'SEA'),
           ST_MakeEnvelope(:left, :bottom, :left + 1000, :bottom + 1000, 27700)
""")

_engine = sa.create_engine(os.environ.get("CONTROL_DATABASE_URL", "postgresql+psycopg://"))


class TaskError(Exception):
    """A task failed."""


class ServiceError(Exception):
    """A service did not answer; in these runs all services do."""


class AppBaseTask(application.Task):
    """The task class of 2018, whose methods were empty."""

    abstract = True

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        """Do nothing."""

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        """Do nothing."""


def geoprocess(x, y, task_id):
    """Write the square around a point; the task's id is written only so that the run can count."""
    time.sleep(float(os.environ.get("CONTROL_PACE", "0")) / 1000)
    left, bottom = x // 1000 * 1000, y // 1000 * 1000
    with _engine.begin() as connection:
        values = {"task_id": task_id, "x": x, "y": y, "left": left, "bottom": bottom}
        connection.execute(_INSERT, values)


@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5)
def do_task(self, x, y):
    """Do a simple geoprocessing task."""
    try:
        geoprocess(x, y, self.request.id)
    except ServiceError as error:
        self.retry(countdown=10, exc=error)
    except Exception as error:
        raise TaskError(error) from error
