"""The three tests of 2018, and what else can be seen of the task without services."""

import gc
from unittest.mock import patch

import pytest
from celery.signals import worker_before_create_process

from workshop.service import ServiceError
from workshop.tasks import TaskError, application, do_task


def test_do_task_calls_geoprocess_with_the_point():
    with patch("workshop.tasks.geoprocess") as geoprocess:
        do_task(2, 3)
    geoprocess.assert_called_once_with(2, 3)


@pytest.mark.challenge(2)
def test_service_error_leads_to_a_retry():
    error = ServiceError("no answer")
    with patch("workshop.tasks.geoprocess", side_effect=error), patch.object(do_task, "retry") as retry:
        do_task(2, 3)
    retry.assert_called_once()


def test_any_other_error_leads_to_a_task_error():
    with (
        patch("workshop.tasks.geoprocess", side_effect=KeyError("x")),
        pytest.raises(TaskError, match="KeyError"),
    ):
        do_task(2, 3)


def test_the_task_has_the_shape_of_2018():
    assert application.main == "tasks"
    assert do_task.name == "workshop.tasks.do_task"
    assert do_task.max_retries == 3
    assert do_task.soft_time_limit == 5
    assert do_task.default_retry_delay == 10


def test_processes_share_what_was_there_before_them():
    worker_before_create_process.send(sender=None)
    try:
        assert gc.get_freeze_count() > 10_000
    finally:
        gc.unfreeze()
