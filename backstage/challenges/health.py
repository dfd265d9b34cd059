"""Looks whether the environment is at fault, before anything is said about an answer."""

import json
import sys
import time
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from tqdm import tqdm

from backstage.challenges import program
from backstage.challenges.source import challenge_here
from backstage.challenges.verdict import Verdict, phrase, say
from backstage.stack import plan, remote
from backstage.stack.status import running, running_site, statuses, until
from backstage.stack.watch import syntax_error
from workshop import db, settings, state_folder
from workshop.database import execute
from workshop.delivery.addresses import broker_trouble, database_trouble
from workshop.delivery.asking import ask, code_digest, living

PATIENCE = 30
"""Seconds to wait for a worker that is starting."""


def trouble(challenge: int) -> Verdict | None:
    """Return what keeps the environment from working, the causes before their effects; None if it works.

    Parameters
    ----------
    challenge : int
        The challenge whose notebook is looked at.
    """
    return _wrong_branch(challenge) or environment() or _workers()


def environment() -> Verdict | None:
    """Return what services and program lack, the causes before their effects; None if nothing."""
    return _services() or _boundary() or _code()


def notes() -> list[str]:
    """Return what does not work, yet keeps nothing from working."""
    site, stack = running_site(), running()
    if site and stack and "flower" in stack["services"] and plan.FIXED["flower"].trouble(site):
        return [phrase("flower-down")]
    return []


def _wrong_branch(challenge: int) -> Verdict | None:
    here = challenge_here().get("challenge")
    for path in (state_folder.ROOT / "notebooks").glob(f"0{challenge}-*.ipynb"):
        stamp = json.loads(path.read_text("utf-8"))["metadata"].get("workshop", {}).get("challenge")
        if stamp != here:
            notebook, folder = (f"challenge-{n}" if n else phrase("solved-course") for n in (stamp, here))
            return say("ENV-WRONG-BRANCH", notebook=notebook, folder=folder, challenge=here or challenge)
    return None


def _services() -> Verdict | None:
    if settings.joined():
        reason = remote.trouble()
        return say("ENV-CENTRAL-DOWN", reason=reason) if reason else None
    broker_url, database_url = settings.get("broker_url"), settings.get("database_url")
    broker, database = broker_trouble(broker_url), database_trouble(database_url)
    if not (broker_url and database_url) or (broker and database and not running()):
        return say("ENV-STACK-DOWN")
    if broker:
        return say("ENV-BROKER-DOWN", reason=broker.text)
    return say("ENV-DATABASE-DOWN", reason=database.text) if database else None


def _boundary() -> Verdict | None:
    nations = execute(select(func.count(db.UkBoundary.code))).scalar_one()
    return None if nations == 5 else say("ENV-BOUNDARY-EMPTY", nations=nations)


def _code() -> Verdict | None:
    if problem := syntax_error():
        worker = phrase("older-worker" if _digests() else "no-worker")
        return say("ENV-SYNTAX-ERROR", problem=problem, worker=worker)
    return None


def _workers() -> Verdict | None:
    """Wait while workers start; then return what is wrong with them."""
    found = _look_at_workers()
    if not found or not _starting():
        return found
    with tqdm(bar_format="{desc}", leave=False, file=sys.stdout) as line:
        line.set_description_str(phrase("worker-starts"))
        until(lambda: not (_look_at_workers() and _starting()), PATIENCE)
    return _look_at_workers()


def _look_at_workers() -> Verdict | None:
    """Say if there is no worker, or one runs older code."""
    digests, saved = _digests(), code_digest()
    if not digests:
        return _down()
    older = [name for name, digest in sorted(digests.items()) if digest != saved]
    if not older:
        return None
    at, file = _last_saved()
    return say("ENV-OLD-CODE", worker=older[0], file=file, saved=f"{datetime.fromtimestamp(at):%H:%M:%S}")


def _last_saved() -> tuple[float, str]:
    """Return when a file of the program was saved last, and its name."""
    return max((file.stat().st_mtime, file.name) for file in program.TASKS.parent.glob("*.py"))


def _down() -> Verdict:
    if problem := program.ask([], 0).get("problem"):
        return say("ENV-BROKEN-FILE", problem=problem)
    messages = [worker["message"] for worker in _own_workers() if worker["message"]]
    return say("ENV-WORKER-DOWN", reason=messages[0] if messages else phrase("worker-stopped"))


def reports() -> dict[str, dict[str, Any]]:
    """Return what each worker of squares says of itself, by its name; see `workshop.delivery.answering`."""
    answers = ask(settings.broker_url(), "course_report", limit=len(living(settings.database_url())) or None)
    return {name: said for name, said in answers.items() if not name.startswith("periodic@")}


def workers() -> list[str]:
    """Return which code each worker runs, and for how long it is paused; nothing if none can be seen."""
    try:
        digests, found, saved = _digests(), reports(), code_digest()
    except Exception:  # the broker may be down, which each client says in its own way
        return []
    lines = []
    for name, digest in sorted(digests.items()):
        paused = found[name]["paused"] if name in found else 0  # at a central nobody can be asked
        note = phrase("paused", seconds=paused) if paused else ""
        lines.append(phrase("saved-code" if digest == saved else "older-code", worker=name) + note)
    return lines


def _digests() -> dict[str, str]:
    """Return the digest of the code of each worker that takes squares, by its name."""
    found = living(settings.database_url())
    return {name: digest for name, digest in found.items() if not name.startswith("periodic@")}


def _own_workers() -> list[dict[str, Any]]:
    """Return how each worker that the course runs on this machine is."""
    return [status for name, status in statuses().items() if name.startswith("worker")]


def _starting() -> bool:
    """Return whether a worker is on its way: starting, or about to reload a file saved just now."""
    just_saved = time.time() - _last_saved()[0] < 10
    states = {worker["state"] for worker in _own_workers()}
    return bool(states & {"starting", "waiting", "stopping"}) or (bool(states) and just_saved)
