"""The malformed messages of `tests.messages` among the tasks of a run; four of them end workers of Celery.

As many have no usable task id, each carries its number in a header of its own, so that it can be found among
the dead letters.
"""

from collections.abc import Callable

from kombu import Connection

from tests.messages import MALFORMED, NAME

NUMBER = "malformed"
"""The header that carries the number."""

KILLERS = 4

NAMES = list(MALFORMED)


def sender(connect: Callable[[], Connection], exchange: str, key: str, task: str) -> Callable[[int], None]:
    """Return a function that sends a malformed message by its number.

    Parameters
    ----------
    connect : callable
        Opens a connection that confirms.
    exchange, key : str
        Where tasks go.
    task : str
        The name of the task that the messages mean, where they mean one.
    """

    def send(number: int) -> None:
        _, message = MALFORMED[NAMES[number]]
        headers = message["headers"] | {NUMBER: number}
        if headers.get("task") == NAME:
            headers["task"] = task
        with connect() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0, interval_step=0)
            connection.Producer().publish(
                **message | {"headers": headers}, exchange=exchange, routing_key=key, confirm_timeout=5
            )

    return send
