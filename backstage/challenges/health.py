"""Looks whether the environment is at fault, before anything is said about an answer."""

import json
import socket
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
from backstage.stack.status import running, running_site, statuses, workers_ready
from backstage.stack.watch import syntax_error
from workshop import db, settings, state_folder
from workshop.database import execute
from workshop.delivery.addresses import broker_trouble, database_trouble
from workshop.delivery.report import ask_workers, code_version

PATIENCE = 30
"""Seconds to wait for a worker that is starting."""


def trouble(challenge: int) -> Verdict | None:
    """Return what keeps the environment from working, the causes before their effects; None if it works.

    Parameters
    ----------
    challenge : int
        The challenge whose notebook is looked at.
    """
    return _wrong_branch(challenge) or _services() or _boundary() or _code() or _workers()


def notes() -> list[str]:
    """Return what does not work, yet keeps nothing from working."""
    site, stack = running_site(), running()
    if site and stack and "flower" in stack["services"] and plan.service("flower").trouble(site):
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
    nations = execute(select(func.count(db.UkBoundary.code))).scalar()
    return None if nations else say("ENV-BOUNDARY-EMPTY")


def _code() -> Verdict | None:
    if problem := syntax_error():
        alive = reports() or _own_states() == {"ready"}
        worker = phrase("older-worker" if alive else "no-worker")
        return say("ENV-SYNTAX-ERROR", problem=problem, worker=worker)
    return None


def _workers() -> Verdict | None:
    """Wait while workers start; then return what is wrong with them."""
    found = _look_at_workers()
    if not found or found.code == "ENV-TWO-WORKERS" or not _starting():
        return found
    end = time.monotonic() + PATIENCE
    with tqdm(bar_format="{desc}", leave=False, file=sys.stdout) as line:
        line.set_description_str(phrase("worker-starts"))
        while found and _starting() and time.monotonic() < end:
            time.sleep(0.3)
            found = _look_at_workers()
    return found


def _look_at_workers() -> Verdict | None:
    """Say if there is no worker, two have one name, or one runs older code."""
    found, own = reports(), _own_workers()
    at_central = settings.joined() and _own_states() == {"ready"}  # there no worker can be asked
    if not found and not at_central:
        return _down()
    for name in sorted(found.keys() & own.keys()):
        if found[name]["host"] == socket.gethostname() and found[name]["pid"] != own[name]["pid"]:
            return say("ENV-TWO-WORKERS", worker=name, pid=found[name]["pid"])
        if older := _older_files(found[name]):
            saved = max(program.TASKS.with_name(file).stat().st_mtime for file in older)
            at = f"{datetime.fromtimestamp(saved):%H:%M:%S}"
            return say("ENV-OLD-CODE", worker=name, files=" and ".join(older), saved=at)
    return None


def _down() -> Verdict:
    if problem := program.ask([], 0).get("problem"):
        return say("ENV-BROKEN-FILE", problem=problem)
    messages = [worker["message"] for worker in _own_workers().values() if worker["message"]]
    return say("ENV-WORKER-DOWN", reason=messages[0] if messages else phrase("worker-stopped"))


def reports() -> dict[str, dict[str, Any]]:
    """Return what each worker says of itself, by its name; see `workshop.delivery.report`."""
    return ask_workers(settings.broker_url(), expected=workers_ready())


def versions() -> list[str]:
    """Return, for each worker that answers, which code it runs and since when; nothing if none can be."""
    try:
        found = reports()
    except Exception:  # the broker may be down, which each client says in its own way
        return []
    lines = []
    for name, report in sorted(found.items()):
        since = f"{datetime.fromisoformat(report['since']).astimezone():%H:%M:%S}"
        older = _older_files(report)
        what = "older-code" if older else "saved-code"
        lines.append(phrase(what, worker=name, files=" and ".join(older), since=since))
    return lines


def _older_files(report: dict[str, Any]) -> list[str]:
    """Return the files that were saved after a worker read them."""
    return [file for file, digest in code_version().items() if report["code"].get(file) != digest]


def _own_workers() -> dict[str, Any]:
    """Return how each worker that the course runs on this machine is, by the worker's name."""
    workers = {name: status for name, status in statuses().items() if name.startswith("worker")}
    return {f"{name.partition('@')[0]}@{each['machine']}": each for name, each in workers.items()}


def _own_states() -> set[str]:
    return {worker["state"] for worker in _own_workers().values()}


def _starting() -> bool:
    """Return whether a worker is on its way: starting, or about to reload a file saved just now."""
    just_saved = time.time() - max(file.stat().st_mtime for file in program.TASKS.parent.glob("*.py")) < 10
    states = _own_states()
    return bool(states & {"starting", "waiting", "stopping"}) or (bool(states) and just_saved)
