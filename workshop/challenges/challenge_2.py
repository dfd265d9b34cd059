"""Challenge 2: retry what is worth retrying. Its check, its hints, and all its texts."""

import re
import time
from collections.abc import Sequence

from celery import Celery

from workshop import settings
from workshop.challenges import environment, guide, program
from workshop.challenges.checking import conclude, latest_full, mention, running, runs_of, wanted
from workshop.challenges.outcome import FAR, PATIENCE, LogLine, Outcome, look, most_common_error, settle
from workshop.challenges.program import TaskCode
from workshop.challenges.verdict import Verdict, say
from workshop.delivery.log import ASKED
from workshop.delivery.record import Published, Run
from workshop.delivery.recorder import PROBE
from workshop.delivery.report import ask_workers
from workshop.stack.running import workers_ready

NOTEBOOK = "02-retry"

TEXTS = {
    "C2-PASSED": "{sent} tasks, {done} rows, 0 failed, {retries} retries as computed from the points. Well done!",
    "C2-NOT-ATTEMPTED": (
        "{failed} of {sent} tasks met the ServiceError and failed; tasks.py, as saved, asks for no retry.\n"
        "Next: look for the TODO in workshop/tasks.py, edit it, and save the file"
    ),
    "C2-NOTHING-SENT": (
        "No points were sent from this notebook since its kernel started.\n"
        "Next: run the cells from the top of notebook 02, then check again"
    ),
    "C2-NO-FAULT": (
        "None of the {sent} tasks meets the artificial fault, so there is nothing to retry (fault rate {rate}).\n"
        "Next: run the cell with settings.change(fault_rate=0.1, ...), then send the points again"
    ),
    "C2-RUN-AGAIN": (
        "tasks.py changed after these {sent} tasks were sent, so they say nothing of it. The worker runs it now.\n"
        "Next: run the cell that sends the points again, then check again"
    ),
    "C2-RETRY-SWALLOWED": (
        "{swallowed} tasks asked for a retry, and the clause on line {line} of tasks.py caught the Retry. "
        "A Retry is an exception too.\n"
        "Next: take self.retry out of the reach of a broad except"
    ),
    "C2-BROAD-FIRST": (
        "{failed} tasks failed as TaskError: the clause on line {line} of tasks.py caught the ServiceError first.\n"
        "Next: let the clause for ServiceError stand before it, and retry there"
    ),
    "C2-RETRIES-ALL": (
        "A point off the grid was tried again, though it stays wrong ({error}).\n"
        "Next: retry a ServiceError only"
    ),
    "C2-WRONG-EXCEPTION": (
        "{failed} tasks failed with {error}; tasks.py retries when it sees {caught}.\n"
        "Next: look in workshop/service.py: which exception does it raise?"
    ),
    "C2-NO-RETRY": (
        "{failed} tasks failed with {error}. tasks.py names ServiceError, but asks for no retry.\n"
        "Next: in this clause, ask Celery to try again"
    ),
    "C2-DROPPED": (
        "{missing} tasks ended as a success, and wrote no row. The ServiceError was caught and nothing else.\n"
        "Next: in this clause, ask Celery to try again"
    ),
    "C2-SENT-ANEW": (
        "{missing} tasks ended without a row: tasks.py sends a new task, with another id, in their place.\n"
        "Next: let the task ask for a retry of itself; the id stays"
    ),
    "C2-MAX-RETRIES": (
        "{failed} tasks gave up after {retries} retries. A point can fail three times in a row.\n"
        "Next: look at max_retries; 3 is enough"
    ),
    "C2-COUNTDOWN-LONG": (
        "{due} tasks wait for their retry, the next for {seconds:.0f} s: the countdown is {countdown:.0f} s.\n"
        "Next: a countdown of about 10 s serves here"
    ),
    "C2-SLEEP": (
        "{failed} tasks failed with {error} after tasks.py slept. A sleeping task keeps a worker busy.\n"
        "Next: ask Celery for a retry with a delay; the worker does other tasks meanwhile"
    ),
    "C2-ERROR-IN-TASK": (
        "{failed} of {sent} tasks failed with {error}.\nNext: mend what the error names in tasks.py, and save"
    ),
    "C2-RETRIES-DIFFER": (
        "All tasks ended, with {retries} retries; {expected} were computed from the points.\n"
        "Next: ask for exactly one retry for each ServiceError"
    ),
}

NO_DELAY = "The retry names no delay, so default_retry_delay (10 s) holds. Name your own with countdown."

_GAVE_UP = ("ServiceError", "MaxRetriesExceededError")
"""How a task ends when its retries are used up: with the error it names, or with Celery's own."""

HINTS = (
    "Some errors pass by themselves. Read workshop/service.py: which exception is raised when a service does not answer?",
    "In do_task, catch that exception in a clause of its own, before the clause that catches everything else.",
    "A bound task (bind=True) can ask for another attempt of itself: see 'Retrying' in Celery's guide on tasks. "
    "The method is self.retry.",
    "self.retry takes countdown, the seconds to wait, and exc, the error to show when all retries are used up.",
)


def check() -> Verdict:
    """Look at what became of the points sent last, and say what is right or wrong with the retry."""
    return conclude(2, _judge)


def hint() -> guide.Text:
    """Return the next hint."""
    return guide.next_hint(2, HINTS)


def solution() -> guide.Text:
    """Return the solution."""
    return guide.solution(2)


def _judge() -> Verdict:
    candidates = [run for run in runs_of(NOTEBOOK) if run.tasks and not all(t.retries for t in run.tasks)]
    run = latest_full(candidates, min(100, wanted()))
    code = program.read_task()
    if run is None:
        return say(TEXTS, "C2-NOTHING-SENT")
    verdict = _judge_run(run, code)
    if verdict.kind == "not yet" and code.attempted and _worker_is_newer(run):
        return say(TEXTS, "C2-RUN-AGAIN", sent=len(run.tasks))
    return verdict.noting(*mention(candidates, run))


def _judge_run(run: Run, code: TaskCode) -> Verdict:
    points = [task.point for task in run.tasks]
    rate = run.tasks[0].fault_rate
    answer = program.ask(points, rate)
    if problem := answer.get("problem"):
        return say(environment.TEXTS, "ENV-BROKEN-FILE", problem=problem)
    errors = answer["errors"]
    if not sum(errors):
        return say(TEXTS, "C2-NO-FAULT", sent=len(points), rate=rate)
    now = settle(run.tasks)
    return (
        _swallowed(now, code)
        or _dropped(now, code)
        or _failed(now, code, {task.id for task, count in zip(run.tasks, errors, strict=True) if count})
        or _too_late(now)
        or _ended(now, errors)
    )


def _swallowed(now: Outcome, code: TaskCode) -> Verdict | None:
    """Find a Retry that became a failure, or that was caught and forgotten: its retry is in no log."""
    caught = {line.task_id for line in now.failures if line.error.endswith(ASKED)}
    ran = sum(attempt - 1 for attempt, _ in now.rows.values())
    silent = max(0, ran - len(now.retries))
    if not caught and not (silent and code.broad_line):
        return None
    return say(TEXTS, "C2-RETRY-SWALLOWED", swallowed=len(caught) or silent, line=code.broad_line)


def _dropped(now: Outcome, code: TaskCode) -> Verdict | None:
    if not now.missing:
        return None
    sent_anew = {"delay", "apply_async", "send_task"} & code.calls
    return say(TEXTS, "C2-SENT-ANEW" if sent_anew else "C2-DROPPED", missing=len(now.missing))


def _failed(now: Outcome, code: TaskCode, faulty: set[str]) -> Verdict | None:
    """Tell why tasks failed; `faulty` are those that met the artificial fault."""
    if not now.failures:
        return None
    numbers = {"failed": len(now.failures), "sent": now.sent, "error": _named(now.failures)}
    if _is_another_error(now.failures, faulty):
        sleeps = "sleep" in code.calls and "SoftTimeLimit" in _named(now.failures)
        return say(TEXTS, "C2-SLEEP" if sleeps else "C2-ERROR-IN-TASK", **numbers)
    if "sleep" in code.calls and not code.retries:
        return say(TEXTS, "C2-SLEEP", **numbers)
    if not code.attempted:
        return say(TEXTS, "C2-NOT-ATTEMPTED", **numbers)
    if not code.retries:
        return say(TEXTS, "C2-NO-RETRY", **numbers)
    if any(line.error_type in _GAVE_UP for line in now.failures):
        tries = max(line.attempt for line in now.failures) - 1
        return say(TEXTS, "C2-MAX-RETRIES", **numbers, retries=tries)
    return _hidden(code, numbers)


def _is_another_error(failures: Sequence[LogLine], faulty: set[str]) -> bool:
    """Return whether the failures come neither from a used-up budget nor from a ServiceError made a TaskError."""
    known = (*_GAVE_UP, "TaskError")
    return any(line.error_type not in known or line.task_id not in faulty for line in failures)


def _hidden(code: TaskCode, numbers: dict) -> Verdict:
    """Tell a clause that stands in the way from one that waits for something else."""
    clauses = code.clauses
    named = [clause.line for clause in clauses if clause.catches_service_error]
    if "autoretry_for" in code.options or (named and code.broad_line < named[0]):
        return say(TEXTS, "C2-BROAD-FIRST", **numbers, line=code.broad_line)
    caught = [name for clause in clauses if not clause.is_broad for name in clause.catches]
    return say(TEXTS, "C2-WRONG-EXCEPTION", **numbers, caught=" or ".join(caught) or "nothing")


def _too_late(now: Outcome) -> Verdict | None:
    far = {id: due for id, due in now.held.items() if due > FAR}
    if not far or not now.over:
        return None
    longest = max((line.countdown or 0) for line in now.retries)
    return say(TEXTS, "C2-COUNTDOWN-LONG", due=len(far), seconds=min(far.values()), countdown=longest)


def _ended(now: Outcome, errors: Sequence[int]) -> Verdict:
    if not now.over:
        return running(2, now)
    numbers = {"sent": now.sent, "done": len(now.rows), "retries": len(now.retries), "expected": sum(errors)}
    if numbers["retries"] != numbers["expected"]:
        return say(TEXTS, "C2-RETRIES-DIFFER", **numbers)
    if error := _bad_point_is_retried():
        return say(TEXTS, "C2-RETRIES-ALL", error=error)
    passed = say(TEXTS, "C2-PASSED", **numbers)
    return passed.noting(NO_DELAY) if any(line.countdown is None for line in now.retries) else passed


def _bad_point_is_retried() -> str:
    """Send one point off the grid, which a right answer lets fail at once; return the error if it is retried."""
    with Celery(broker=settings.broker_url(), set_as_current=False) as application:
        application.config_from_object("workshop.delivery.configuration")
        sent = application.send_task(program.TASK, (-1, -1), headers={PROBE: True})
    probe = [Published(sent.id, program.TASK, [-1, -1], "probe", "")]
    end = time.monotonic() + PATIENCE
    while not (now := look(probe)).log and not now.missing and time.monotonic() < end:
        time.sleep(0.1)
    return next((line.error for line in now.retries), "")


def _worker_is_newer(run: Run) -> bool:
    """Return whether a worker started after the run, so that other code may have done the tasks."""
    return any(
        report["since"] > run.at
        for report in ask_workers(settings.broker_url(), expected=workers_ready()).values()
    )


def _named(failures: Sequence[LogLine]) -> str:
    return re.sub(r" for \(.*", "", most_common_error(failures))
