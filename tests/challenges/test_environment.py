"""A check tells a broken environment from a wrong answer, and each fault from the others."""

import os
import re
import signal
from contextlib import suppress

import psutil

from tests.challenges.attendee import Attendee
from tests.conftest import wait_for
from workshop.delivery.asking import living


def check(attendee: Attendee, code: str) -> str:
    """Return what a check says, from its code on; before it there may be a line of progress."""
    number = 3 if code.startswith("ENV") else 1
    said = attendee.machine.workshop("check", "1", code=number, **attendee.environment)
    found = re.search(rf"^{code}\b.*", said, re.MULTILINE | re.DOTALL)
    assert found, said
    return found.group()


def end(attendee: Attendee, name: str) -> None:
    process = psutil.Process(attendee.machine.service(name)["pid"])
    for each in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):  # a child notices by itself that its parent is gone
            each.kill()


def test_each_fault_is_told_from_the_others(one_attendee: Attendee) -> None:
    """All happen one after the other while nothing is mended: the cause is told, not what comes of it."""
    one_attendee.start_afresh()
    machine, stack = one_attendee.machine, one_attendee.machine.stack()
    tasks, right = machine.course / "workshop" / "tasks.py", one_attendee.original("tasks.py")
    ran = living(stack["database_url"])
    os.kill(stack["pid"], signal.SIGSTOP)
    try:
        tasks.write_text(right + "\n# a later version\n")
        said = check(one_attendee, "ENV-OLD-CODE")
        assert "still runs the version before tasks.py was saved at" in said
        assert "runs the version before the last save" in machine.workshop("status")

        tasks.write_text('"""Broken."""\n\ndef do_task(:\n')
        said = check(one_attendee, "ENV-SYNTAX-ERROR")
        assert "workshop/tasks.py, line 3" in said and "still runs the version before" in said
        assert "Hint 1 of" in machine.workshop("hint", "1"), "help goes on"

        tasks.write_text(right)
        end(one_attendee, "flower")
        assert "Note: ENV-FLOWER-DOWN" in check(one_attendee, "C1-NOT-ATTEMPTED")

        end(one_attendee, "worker1")
        said = check(one_attendee, "ENV-WORKER-DOWN")
        assert said.startswith("ENV-WORKER-DOWN ! the environment is at fault\n")
        assert "Next: workshop logs" in said

        tasks.write_text(right.replace("max_retries=3", "max_retries=three"))
        said = check(one_attendee, "ENV-BROKEN-FILE")
        assert "workshop/tasks.py, line " in said and "NameError: name 'three' is not defined" in said

        for service, code in {"postgis": "ENV-DATABASE-DOWN", "rabbitmq": "ENV-BROKER-DOWN"}.items():
            end(one_attendee, service)
            assert "Next: workshop logs" in check(one_attendee, code)
    finally:
        tasks.write_text(right)
        os.kill(stack["pid"], signal.SIGCONT)
    for name in ("flower", "worker1", "postgis", "rabbitmq"):
        machine.until_again(name, stack["services"][name]["pid"], seconds=120)
    wait_for(lambda: living(stack["database_url"]) == ran, 60, "the mended code")
