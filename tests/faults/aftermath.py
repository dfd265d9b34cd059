"""What malformed messages do to the control. They come last: its workers end again and again from then on."""

import time

from tests.faults import malformed
from tests.faults.strikes import Scene
from tests.faults.timetable import Task, draw

_SECONDS = 20
_GOOD = 20


def poison(scene: Scene, seed: int) -> tuple[int, int, int]:
    """Send the malformed messages, then some good tasks, and wait a while.

    Returns
    -------
    tuple of int
        How often workers ended meanwhile, how many good tasks were sent, and how many of them have a row.
    """
    subject = scene.subject
    before = sum(count for count, _ in subject.ends().values())
    send = malformed.sender(scene.machine.amqp, subject.exchange, subject.key, subject.task)
    for number in range(len(malformed.NAMES)):
        send(number)
    good: list[Task] = draw(-seed, _GOOD, {}, 0, []).tasks
    for task in good:
        subject.send(task)
    time.sleep(_SECONDS)
    ends = sum(count for count, _ in subject.ends().values()) - before
    wanted = [task.id for task in good]
    query = f"SELECT count(DISTINCT task_id) FROM {subject.table} WHERE task_id::text = ANY(%s)"
    return ends, _GOOD, scene.machine.sql(query, wanted)[0][0]
