"""What a sender is told of tasks that are not on the queue."""

import pickle

import pytest
from kombu.exceptions import EncodeError

from workshop.delivery.publisher import NotSent, task_message


def message(id: str):
    return task_message(id, "workshop.tasks.do_task", (1, 2), recorded=False)


def test_one_task_is_named_with_how_to_send_it_again() -> None:
    error = NotSent([(message("a"), "It is full.", False)])
    assert str(error) == (
        "It is full. The task is not on the queue.\n"
        'Next: workshop status. Then it is safe to send it again: apply_async((x, y), task_id="a")'
    )
    assert (error.task_id, error.perhaps) == ("a", False)


def test_many_are_counted() -> None:
    error = NotSent([(message("a"), "It broke.", True), (message("b"), "It was not tried.", False)])
    assert str(error).startswith(
        "It broke. So it is with 2 tasks: 1 are perhaps on the queue, the others are"
    )
    assert "send_again()" in str(error) and error.perhaps


def test_it_goes_from_one_process_to_another_with_its_tasks() -> None:
    error = pickle.loads(pickle.dumps(NotSent([(message("a"), "It broke.", True)])))
    assert [task.body for task in error.tasks] == [message("a").body] and error.perhaps


@pytest.mark.parametrize("args", [{"x": 1, "y": 2}, "12", {1, 2}])
def test_arguments_that_have_no_order_are_refused(args: object) -> None:
    with pytest.raises(TypeError, match="must be a list or tuple"):
        task_message("a", "workshop.tasks.do_task", args)


def test_what_json_can_not_carry_is_refused() -> None:
    with pytest.raises(EncodeError, match="not JSON serializable"):
        task_message("a", "workshop.tasks.do_task", (object(), 2))
