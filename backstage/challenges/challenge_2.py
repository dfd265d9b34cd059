"""Challenge 2, retry what is worth retrying: its check. All texts, such as hints, are in ``texts.toml``."""

from uuid import uuid4

from backstage.challenges import checking, health, outcome, program, progress
from backstage.challenges.program import TaskCode
from backstage.challenges.verdict import NOT_YET, Verdict, phrase, say
from workshop.delivery import publisher
from workshop.delivery.ledger import FAR, Ledger, follow
from workshop.delivery.record import Published, Run
from workshop.delivery.task import ASKED

TASKS = 100

_GAVE_UP = {"ServiceError", "MaxRetriesExceededError"}
"""How a task ends when its retries are used up: with the error it names, or with Celery's own."""


hint, solution = progress.help_with(2)


def check() -> Verdict:
    """Look at what became of the points sent last, and say what is right or wrong with the retry."""
    return checking.conclude(2, _judge)


def _judge() -> Verdict:
    candidates = [run for run in checking.runs_of(2) if not all(task.retries for task in run.tasks)]
    run = checking.latest(candidates, checking.wanted(TASKS)) or checking.latest(candidates, 1)
    if run is None:
        return say("C2-NOTHING-SENT")
    code = program.read_task()
    verdict = _judge_run(run, code)
    if verdict.kind == NOT_YET and code.attempted and _worker_is_newer(run):
        return say("C2-RUN-AGAIN", sent=len(run.tasks))
    return verdict


def _worker_is_newer(run: Run) -> bool:
    """Return whether a worker started after the run, so that other code may have done the tasks."""
    return any(report["since"] > run.at for report in health.reports().values())


def _judge_run(run: Run, code: TaskCode) -> Verdict:
    rate = run.tasks[0].fault_rate
    answer = program.ask([task.point for task in run.tasks], rate)
    if problem := answer.get("problem"):
        return say("ENV-BROKEN-FILE", problem=problem)
    errors = dict(zip((task.id for task in run.tasks), answer["errors"], strict=True))
    if not any(errors.values()):
        return say("C2-NO-FAULT", sent=len(errors), rate=rate)
    now = outcome.settle(run.tasks)
    faulty = {id for id, count in errors.items() if count}
    found = _without_row(now, code) or _failed(now, code, faulty) or _too_late(now)
    return found or outcome.running(2, now) or _ended(now, sum(errors.values()))


def _without_row(now: Ledger, code: TaskCode) -> Verdict | None:
    """Find a Retry that became a failure, or that was caught and is in no log; then a task that is lost."""
    caught = {line.task_id for line in now.log.values() if line.error.endswith(ASKED)}
    if caught:
        return say("C2-RETRY-SWALLOWED", swallowed=len(caught), line=code.broad_line)
    if dropped := outcome.lost(now):
        sent_anew = {"delay", "apply_async", "send_task"} & code.words
        return say("C2-SENT-ANEW" if sent_anew else "C2-DROPPED", missing=len(dropped))
    return None


def _failed(now: Ledger, code: TaskCode, faulty: set[str]) -> Verdict | None:
    """Tell why tasks failed; `faulty` are those that met the artificial fault."""
    if not now.failures:
        return None
    error = outcome.most_common_error(now.failures)
    kinds, sleeps = {line.error_type for line in now.failures}, "sleep" in code.words
    known = kinds <= {*_GAVE_UP, "TaskError"} and {line.task_id for line in now.failures} <= faulty
    if sleeps and ("SoftTimeLimit" in error if not known else not code.retries):
        why = "C2-SLEEP"
    elif not known:
        why = "C2-ERROR-IN-TASK"
    elif not code.retries:
        why = "C2-NO-RETRY" if code.attempted else "C2-NOT-ATTEMPTED"
    elif kinds & _GAVE_UP:
        why = "C2-MAX-RETRIES"
    else:
        in_the_way = "autoretry_for" in code.words or code.broad_line < code.service_line
        why = "C2-BROAD-FIRST" if in_the_way else "C2-WRONG-EXCEPTION"
    numbers = {"failed": len(now.failures), "sent": len(now.published), "error": error}
    tries = max(line.attempt for line in now.failures) - 1
    caught = " or ".join(code.caught) or phrase("nothing")
    return say(why, **numbers, retries=tries, line=code.broad_line, caught=caught)


def _too_late(now: Ledger) -> Verdict | None:
    far = [seconds for seconds in now.held.values() if seconds > FAR]
    if not far or not outcome.over(now):
        return None
    longest = max((line.countdown or 0 for line in now.retries), default=max(far))
    return say("C2-COUNTDOWN-LONG", due=len(far), seconds=min(far), countdown=longest)


def _ended(now: Ledger, expected: int) -> Verdict:
    retries = now.retried.total()
    if retries != expected:
        return say("C2-RETRIES-DIFFER", retries=retries, expected=expected)
    if error := _bad_point_is_retried():
        return say("C2-RETRIES-ALL", error=error)
    notes = [phrase("no-delay")] if any(line.countdown is None for line in now.retries) else []
    sent, done = len(now.published), len(now.rows)
    return say("C2-PASSED", sent=sent, done=done, retries=retries, expected=expected).noting(*notes)


def _bad_point_is_retried() -> str:
    """Send a point off the grid, which a right answer lets fail at once; return the error if it retries."""
    id = str(uuid4())
    publisher.send(publisher.task_message(id, program.TASK, (-1, -1), recorded=False))
    probe = [Published(id, program.TASK, [-1, -1], "probe", "")]
    for now in follow(probe, outcome.PATIENCE):
        if now.retries or outcome.over(now):
            break
    return next((line.error for line in now.retries), "")
