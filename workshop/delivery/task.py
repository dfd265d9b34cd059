"""The Celery task class beneath `workshop.tasks.AppBaseTask`."""

from typing import Any

import celery
from celery.exceptions import Retry
from celery.signals import worker_init
from kombu import pools

from workshop import settings
from workshop.connection import keep_database
from workshop.delivery import recorder
from workshop.delivery.attempt import ERRORS, current_attempt


class Task(celery.Task):
    """A task that is sent to wherever the settings point now."""

    default_retry_delay = 10
    """Seconds before a retry that names no countdown. Celery's own 180 s look like a hang."""

    def apply_async(self, *args: Any, **kwargs: Any) -> Any:
        """Send the task, as `celery.Task.apply_async` does, following a changed broker address."""
        if self.request.called_directly:
            recorder.trying()
            follow_settings(self.app)
        return super().apply_async(*args, **kwargs)

    def retry(self, *args: Any, countdown: float | None = None, **options: Any) -> Any:
        """Ask for another attempt, as `celery.Task.retry` does, and count the error in the message.

        With ``WORKSHOP_HASTE=10`` in the environment each retry comes ten times sooner, for tests.
        """
        headers = (self.request.headers or {}) | {ERRORS: current_attempt().errors + 1}
        self.request.countdown = countdown
        if options.get("eta") is None:
            seconds = self.default_retry_delay if countdown is None else countdown
            countdown = seconds / float(settings.get("haste") or 1)
        try:
            return super().retry(*args, countdown=countdown, headers=headers, **options)
        except Retry:
            self.request.asked = True
            raise


def follow_settings(app: celery.Celery) -> None:
    """Point a Celery application in a notebook or script to the broker that the settings name now."""
    if (url := settings.broker_url()) != app.conf.broker_url:
        pools.reset()  # they are shared by address, and a closed one would be met again on the way back
        app._pool = app.amqp._producer_pool = None
        app.conf.broker_url = url


@worker_init.connect
def _keep_database(**_: Any) -> None:
    keep_database()
