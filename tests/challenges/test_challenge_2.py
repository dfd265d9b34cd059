"""The check of challenge 2 gives each wrong answer its own code, and lets every right one pass.

Each answer is an edit of ``tasks.py`` that a real worker runs. 40 points stand in for the course's 500, more
of them meet the fault, and a retry comes ten times sooner.
"""

from collections.abc import Iterator
from textwrap import dedent, indent

import pytest

from tests.challenges.attendee import TASKS, Attendee, attend, leave, table_row
from tests.conftest import wait_for

SETUP = """
from workshop import settings
from workshop.demo import get_random_x, get_random_y
from workshop.tasks import do_task
settings.change(fault_rate=0.3)
points = [(get_random_x(), get_random_y()) for _ in range(40)]
"""

SEND = """
for x, y in points:
    do_task.delay(x, y)
"""

DECORATOR = "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5)"

STARTER = """
    try:
        geoprocess(x, y)
    except Exception as error:
        raise TaskError(f"{type(error).__name__}: {error}") from error
    """

WRONG = {
    "the file is untouched": (STARTER, "C2-NOT-ATTEMPTED"),
    "a comment only": (
        """
        # self.retry(countdown=10)
        try:
            geoprocess(x, y)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-NOT-ATTEMPTED",
    ),
    "the Retry is swallowed": (
        """
        try:
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-RETRY-SWALLOWED",
    ),
    "the Retry is swallowed and logged": (
        """
        try:
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=10, exc=error)
        except Exception as error:
            print(error)
        """,
        "C2-RETRY-SWALLOWED",
    ),
    "the Retry is swallowed by a bare except": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            try:
                self.retry(countdown=10, exc=error)
            except:
                raise TaskError("no luck")
        """,
        "C2-RETRY-SWALLOWED",
    ),
    "the broad clause comes first": (
        """
        try:
            geoprocess(x, y)
        except Exception as error:
            raise TaskError(f"{type(error).__name__}: {error}")
        except ServiceError as error:
            self.retry(countdown=10, exc=error)
        """,
        "C2-BROAD-FIRST",
    ),
    "autoretry behind the broad clause": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
            "autoretry_for=(ServiceError,))",
            STARTER,
        ),
        "C2-BROAD-FIRST",
    ),
    "everything is retried": (
        """
        try:
            geoprocess(x, y)
        except Exception as error:
            self.retry(countdown=10, exc=error)
        """,
        "C2-RETRIES-ALL",
    ),
    "TaskError is retried too": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
            "autoretry_for=(ServiceError, TaskError), retry_backoff=2)",
            """
            try:
                geoprocess(x, y)
            except ServiceError:
                raise
            except Exception as error:
                raise TaskError(error)
            """,
        ),
        "C2-RETRIES-ALL",
    ),
    "another exception is caught": (
        """
        try:
            geoprocess(x, y)
        except ConnectionError as error:
            self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(f"{type(error).__name__}: {error}")
        """,
        "C2-WRONG-EXCEPTION",
    ),
    "TaskError is caught": (
        """
        try:
            geoprocess(x, y)
        except TaskError as error:
            self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(f"{type(error).__name__}: {error}")
        """,
        "C2-WRONG-EXCEPTION",
    ),
    "logged and dropped": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            print("no answer", error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-DROPPED",
    ),
    "passed over": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            pass
        """,
        "C2-DROPPED",
    ),
    "sent anew": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            do_task.apply_async((x, y), countdown=1)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-SENT-ANEW",
    ),
    "caught and raised": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            raise
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-NO-RETRY",
    ),
    "max_retries is 0": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=0, soft_time_limit=5)",
            """
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=10, exc=error)
            except Exception as error:
                raise TaskError(error)
            """,
        ),
        "C2-MAX-RETRIES",
    ),
    "no retries in the call": (
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            self.retry(countdown=10, max_retries=0)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-MAX-RETRIES",
    ),
    "one retry is too few": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=1, soft_time_limit=5)",
            """
            try:
                geoprocess(x, y)
            except ServiceError as error:
                self.retry(countdown=5, exc=error)
            except Exception as error:
                raise TaskError(error)
            """,
        ),
        "C2-MAX-RETRIES",
    ),
    "the countdown is an hour": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            self.retry(countdown=3600, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-COUNTDOWN-LONG",
    ),
    "sleep and call again": (
        """
        import time
        try:
            geoprocess(x, y)
        except ServiceError:
            time.sleep(0.2)
            geoprocess(x, y)
        """,
        "C2-SLEEP",
    ),
    "sleep until the time limit": (
        (
            "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=1)",
            """
            import time
            while True:
                try:
                    return geoprocess(x, y)
                except ServiceError:
                    time.sleep(10)
            """,
        ),
        "C2-SLEEP",
    ),
    "a name is misspelt": (
        """
        try:
            geoprocess(x, y)
        except ServiceEror as error:
            self.retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-ERROR-IN-TASK",
    ),
    "the method is misspelt": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            self.retri(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-ERROR-IN-TASK",
    ),
    "retry without self": (
        """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            retry(countdown=10, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
        "C2-ERROR-IN-TASK",
    ),
}

FEWER = ("one retry is too few", "the Retry is swallowed and logged")
"""Where it is not each point that fails at the first attempt that counts."""

AS_IN_THE_COURSE = """
    try:
        geoprocess(x, y)
    except ServiceError as error:
        self.retry(countdown=10, exc=error)
    except Exception as error:
        raise TaskError(f"{type(error).__name__}: {error}") from error
    """

RIGHT = {
    "as in the course": AS_IN_THE_COURSE,
    "raise self.retry": """
        try:
            geoprocess(x, y)
        except ServiceError as exc:
            raise self.retry(exc=exc, countdown=5)
        except Exception as exc:
            raise TaskError(exc)
        """,
    "a growing countdown": """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            self.retry(countdown=2 ** self.request.retries, exc=error)
        except Exception as error:
            raise TaskError(error)
        """,
    "by the task's name": """
        try:
            geoprocess(x, y)
        except ServiceError as error:
            raise do_task.retry(countdown=3, exc=error, max_retries=5)
        except Exception as error:
            raise TaskError(error)
        """,
    "one clause that asks": """
        try:
            geoprocess(x, y)
        except Exception as error:
            if isinstance(error, ServiceError):
                raise self.retry(countdown=5, exc=error)
            raise TaskError(error)
        """,
    "autoretry_for with backoff": (
        "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
        "autoretry_for=(ServiceError,), retry_backoff=2, retry_jitter=False)",
        """
        try:
            geoprocess(x, y)
        except ServiceError:
            raise
        except Exception as error:
            raise TaskError(error)
        """,
    ),
    "autoretry_for alone": (
        "@application.task(base=AppBaseTask, bind=True, max_retries=3, soft_time_limit=5, "
        "autoretry_for=(ServiceError,), retry_kwargs={'countdown': 4})",
        "geoprocess(x, y)",
    ),
}

WITHOUT_DELAY = """
    try:
        geoprocess(x, y)
    except ServiceError as error:
        raise self.retry(exc=error)
    except Exception as error:
        raise TaskError(error)
    """


COUNT = """
from workshop.service import is_faulty
print(sum(is_faulty(x, y, 0) for x, y in points))
"""


@pytest.fixture(scope="module")
def faulty(attendee: Attendee) -> int:
    """How many of the points fail at the first attempt."""
    return int(attendee.run(COUNT))


@pytest.fixture(scope="module")
def attendee(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attendee]:
    attendee = attend(tmp_path_factory.mktemp("challenge-2"))
    try:
        attendee.start_kernel("02-retry")
        attendee.run(SETUP)
        yield attendee
    finally:
        leave(attendee)


@pytest.fixture(autouse=True)
def afresh(attendee: Attendee) -> None:
    attendee.start_afresh()


def edited(attendee: Attendee, answer: str | tuple[str, str]) -> str:
    """Return ``tasks.py`` with another body of ``do_task``, and perhaps another decorator."""
    text = attendee.original("tasks.py")
    decorator, body = answer if isinstance(answer, tuple) else (DECORATOR, answer)
    head, _, _ = text.partition("    try:\n        geoprocess")
    assert DECORATOR in head
    return head.replace(DECORATOR, decorator) + indent(dedent(body).strip(), "    ") + "\n"


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_answer_gets_its_code(name: str, attendee: Attendee, faulty: int) -> None:
    answer, code = WRONG[name]
    attendee.save("tasks.py", edited(attendee, answer))
    attendee.run(SEND)
    seen = attendee.check(2)
    table_row(name, seen)
    assert seen.code == code, seen
    assert "\nNext: " in seen.text
    assert seen.kind == ("not attempted" if code == "C2-NOT-ATTEMPTED" else "not yet")
    counted = [seen.numbers.get(what) for what in ("failed", "swallowed", "missing", "due")]
    if code != "C2-RETRIES-ALL" and name not in FEWER:
        assert faulty in counted, (faulty, seen)


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes(name: str, attendee: Attendee) -> None:
    attendee.save("tasks.py", edited(attendee, RIGHT[name]))
    attendee.run(SEND)
    seen = attendee.check(2)
    table_row(name, seen)
    assert (seen.code, seen.kind) == ("C2-PASSED", "passed"), seen
    assert seen.numbers["done"] == TASKS
    assert seen.numbers["retries"] == seen.numbers["expected"] > 5
    assert seen.notes == []


def test_a_retry_without_its_own_delay_passes_with_advice(attendee: Attendee) -> None:
    attendee.save("tasks.py", edited(attendee, WITHOUT_DELAY))
    attendee.run(SEND)
    seen = attendee.check(2)
    assert seen.code == "C2-PASSED"
    assert "names no delay" in seen.notes[0]


def test_points_sent_before_the_edit_say_nothing_of_it(attendee: Attendee) -> None:
    attendee.save("tasks.py", edited(attendee, STARTER))
    attendee.run(SEND)
    assert attendee.check(2).code == "C2-NOT-ATTEMPTED"
    attendee.save("tasks.py", edited(attendee, AS_IN_THE_COURSE))
    assert attendee.check(2).code == "C2-RUN-AGAIN"


def test_an_edit_that_is_not_saved_is_no_attempt(attendee: Attendee) -> None:
    attendee.save("tasks.py", edited(attendee, STARTER))
    attendee.run(SEND)
    seen = attendee.check(2)
    assert seen.code == "C2-NOT-ATTEMPTED"
    assert "as saved" in seen.text and "save the file" in seen.text


def test_without_the_fault_there_is_nothing_to_judge(attendee: Attendee) -> None:
    attendee.run("settings.change(fault_rate=0)")
    try:
        attendee.run(SEND)
        assert attendee.check(2).code == "C2-NO-FAULT"
    finally:
        attendee.run("settings.change(fault_rate=0.3)")


def test_nothing_sent(attendee: Attendee) -> None:
    assert attendee.check(2).code == "C2-NOTHING-SENT"


def test_runs_that_show_life_without_a_retry_do_not_count(attendee: Attendee) -> None:
    attendee.save("tasks.py", edited(attendee, AS_IN_THE_COURSE))
    attendee.run(SEND)
    attendee.run("for x, y in points[:5]:\n    do_task.apply_async((x, y), retries=3)")
    assert attendee.check(2).code == "C2-PASSED"


def test_the_kernel_needs_no_restart_after_an_edit(attendee: Attendee) -> None:
    """What the worker runs counts, not what the notebook has imported."""
    attendee.save("tasks.py", edited(attendee, WRONG["passed over"][0]))
    attendee.run(SEND)
    assert attendee.check(2).code == "C2-DROPPED"
    attendee.save("tasks.py", edited(attendee, AS_IN_THE_COURSE))
    attendee.run(SEND)
    seen = attendee.check(2)
    assert seen.code == "C2-PASSED"
    assert "1 other run was not counted" in seen.notes[0]
    wait_for(lambda: attendee.machine.service("worker1")["state"] == "ready")
