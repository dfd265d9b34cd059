"""Goes into the worker of these tests' attendee: it takes a saved ``tasks.py`` without being started again.

Its main process imports the file anew and its processes are replaced, so that the answer's own code runs in a
process of Celery's, with real messages and rows. Only the start of the program is left out, which takes
longer than all the rest. That a save starts the worker anew is tested with some of the answers.
"""

import importlib
import sys
from datetime import UTC, datetime
from typing import Any

import psutil
import psycopg
from celery.worker.control import control_command

from workshop import settings
from workshop.delivery import answering, asking

NAME = "workshop.tasks.do_task"

_sessions: list[psycopg.Connection] = []


@control_command()
def take_saved(state: Any, **_: Any) -> dict[str, Any]:
    """Let the tasks from now on be those of ``tasks.py`` as it is saved."""
    saved = importlib.reload(sys.modules["workshop.tasks"])
    task = saved.do_task._get_current_object()  # its application would look, and find the one of before
    state.app.tasks[NAME] = task
    task.bind(state.app)
    state.app.set_current()
    state.consumer.update_strategies()
    answering._loaded = asking.code_digest()
    name = f"{answering._loaded} {state.hostname}"
    _sessions.append(asking.open_session(settings.database_url(), name))  # the latest one counts
    answering._since = datetime.now(UTC).isoformat(timespec="milliseconds")
    children = psutil.Process().children()
    for child in children:
        child.kill()
    return {"ended": [child.pid for child in children]}
