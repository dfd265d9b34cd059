"""The Celery application and the task of one square."""

from typing import Any

from celery import Celery

from workshop.delivery.task import Task, write_task_log
from workshop.service import ServiceError, geoprocess
from workshop.settings import broker_url

# Create the Celery application: its name, and the address of the message broker
application = Celery("tasks", broker=broker_url())
application.config_from_object("workshop.delivery.configuration")


class TaskError(Exception):
    """A task failed, and trying again would not help."""


class AppBaseTask(Task):
    """What happens around the task's own code."""

    abstract = True

    def on_retry(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Write the retry to the table `task_log`."""
        write_task_log("RETRY", exc)

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Write the final failure to the table `task_log`."""
        write_task_log("FAILURE", exc)


@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5)
def do_task(self: AppBaseTask, x: float, y: float) -> None:
    """Find the nation at a point and write the grid square around it to PostGIS.

    Parameters
    ----------
    self : AppBaseTask
        The task itself; ``bind=True`` passes it in.
    x, y : float
        Easting and northing in metres on the British National Grid (EPSG:27700).

    Raises
    ------
    TaskError
        If the task failed, and trying again would not help.
    """
    try:
        geoprocess(x, y)
    ### BEGIN SOLUTION 2: a service that did not answer is worth another try
    except ServiceError as error:
        self.retry(countdown=10, exc=error)
    ### END SOLUTION
    except Exception as error:
        raise TaskError(f"{type(error).__name__}: {error}") from error
