"""Looks whether the environment is at fault, before anything is said about an answer."""

import json
import socket
import sys
import time
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from tqdm import tqdm

from workshop import db, machine, settings
from workshop.challenges import program
from workshop.challenges.source import challenge_here
from workshop.challenges.verdict import Verdict, say
from workshop.connection import execute
from workshop.delivery.addresses import broker_trouble, database_trouble
from workshop.delivery.report import ask_workers, code_version
from workshop.stack import centrally, plan
from workshop.stack.running import running, running_site, workers_ready
from workshop.stack.watch import syntax_error

PATIENCE = 30
"""Seconds to wait for a worker that is starting."""

TEXTS = {
    "ENV-STACK-DOWN": "The services of this course are not running.\nNext: make lab, or workshop up",
    "ENV-BROKER-DOWN": "RabbitMQ, the broker, does not answer. {reason}\nNext: workshop logs rabbitmq",
    "ENV-DATABASE-DOWN": "PostGIS, the database, does not answer. {reason}\nNext: workshop logs postgis",
    "ENV-CENTRAL-DOWN": (
        "{reason}\nNext: ask your instructor whether it runs; workshop leave goes back to your own queue"
    ),
    "ENV-BOUNDARY-EMPTY": (
        "The table uk_boundary is empty, so no task can find its nation.\n"
        "Next: workshop down, then workshop up. It fills the table"
    ),
    "ENV-SYNTAX-ERROR": (
        "{problem}. {worker}\nNext: mend that line and save the file; the worker starts by itself"
    ),
    "ENV-BROKEN-FILE": (
        "The worker can't start: {problem}.\nNext: mend that line and save the file; the worker starts by itself"
    ),
    "ENV-WORKER-DOWN": "No worker answers. {reason}\nNext: workshop logs worker",
    "ENV-OLD-CODE": (
        "{worker} still runs an older {files} than the one saved at {saved}.\n"
        "Next: save the file again; if that does not help, workshop down and workshop up"
    ),
    "ENV-TWO-WORKERS": (
        "Two workers have the name {worker}. Process {pid} holds it, and it was not started by this course.\n"
        "Next: end process {pid}, or start it with another name, such as -n mine@%h"
    ),
    "ENV-WRONG-BRANCH": (
        "This notebook is from {notebook}, but the files in the folder are from {folder}.\n"
        "Next: workshop reset {challenge}, then open the notebook again"
    ),
    "ENV-FLOWER-DOWN": "ENV-FLOWER-DOWN: Flower does not answer. Nothing here needs it. workshop logs flower",
}


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
        return [TEXTS["ENV-FLOWER-DOWN"]]
    return []


def _wrong_branch(challenge: int) -> Verdict | None:
    here = challenge_here().get("challenge")
    for path in (machine.ROOT / "notebooks").glob(f"0{challenge}-*.ipynb"):
        stamp = json.loads(path.read_text("utf-8"))["metadata"].get("workshop", {}).get("challenge")
        if stamp != here:
            names = {"notebook": _branch(stamp), "folder": _branch(here), "challenge": here or challenge}
            return say(TEXTS, "ENV-WRONG-BRANCH", **names)
    return None


def _branch(challenge: int | None) -> str:
    return f"challenge-{challenge}" if challenge else "the solved course"


def _services() -> Verdict | None:
    if settings.joined():
        reason = centrally.trouble()
        return say(TEXTS, "ENV-CENTRAL-DOWN", reason=reason) if reason else None
    try:
        broker = broker_trouble(settings.broker_url())
        database = database_trouble(settings.database_url())
    except settings.NotRunning:
        return say(TEXTS, "ENV-STACK-DOWN")
    if broker and database and not running():
        return say(TEXTS, "ENV-STACK-DOWN")
    if broker:
        return say(TEXTS, "ENV-BROKER-DOWN", reason=broker.text)
    if database:
        return say(TEXTS, "ENV-DATABASE-DOWN", reason=database.text)
    return None


def _boundary() -> Verdict | None:
    nations = execute(select(func.count(db.UkBoundary.code))).scalar()
    return None if nations else say(TEXTS, "ENV-BOUNDARY-EMPTY")


def _code() -> Verdict | None:
    if problem := syntax_error():
        alive = ask_workers(settings.broker_url()) or _all_ready()
        worker = "The worker still runs the version before." if alive else "No worker runs."
        return say(TEXTS, "ENV-SYNTAX-ERROR", problem=problem, worker=worker)
    return None


def _workers() -> Verdict | None:
    """Wait while workers start; then return what is wrong with them."""
    found = _look_at_workers()
    if not found or found.code == "ENV-TWO-WORKERS" or not _starting():
        return found
    end = time.monotonic() + PATIENCE
    with tqdm(bar_format="{desc}", leave=False, file=sys.stdout) as line:
        line.set_description_str("The worker is starting with the saved code ...")
        while found and _starting() and time.monotonic() < end:
            time.sleep(0.3)
            found = _look_at_workers()
    return found


def _look_at_workers() -> Verdict | None:
    reports = ask_workers(settings.broker_url(), expected=workers_ready())
    return _down(reports) or _twice(reports) or _old(reports)


def _down(reports: dict[str, Any]) -> Verdict | None:
    if reports or (settings.joined() and _all_ready()):  # at a central queue no worker can be asked
        return None
    if problem := program.ask([], 0).get("problem"):
        return say(TEXTS, "ENV-BROKEN-FILE", problem=problem)
    messages = [service["message"] for service in _worker_services().values() if service["message"]]
    return say(TEXTS, "ENV-WORKER-DOWN", reason=messages[0] if messages else "It is not running.")


def _twice(reports: dict[str, Any]) -> Verdict | None:
    """Return a verdict if the name of this course's worker is held by a process of someone else."""
    for name, report in reports.items():
        ours = _worker_services().get(_own(name))
        if ours and report["host"] == socket.gethostname() and report["pid"] != ours["pid"]:
            return say(TEXTS, "ENV-TWO-WORKERS", worker=name, pid=report["pid"])
    return None


def _old(reports: dict[str, Any]) -> Verdict | None:
    for name, report in reports.items():
        files = _differing(report)
        if files and _own(name) in _worker_services():
            saved = max(program.TASKS.with_name(file).stat().st_mtime for file in files)
            at = f"{datetime.fromtimestamp(saved):%H:%M:%S}"
            return say(TEXTS, "ENV-OLD-CODE", worker=name, files=" and ".join(files), saved=at)
    return None


def _own(name: str) -> str:
    """Return which service of this machine a worker is; nothing for another machine's."""
    own, _, place = name.partition("@")
    for service, condition in _worker_services().items():
        if service.partition("@")[0] == own and condition["machine"] == place:
            return service
    return ""


def _differing(report: dict[str, Any]) -> list[str]:
    """Return the files that were saved after a worker read them."""
    return [file for file, digest in code_version().items() if report["code"].get(file) != digest]


def versions() -> list[str]:
    """Return, for each worker that answers, which code it runs and since when."""
    lines = []
    for name, report in sorted(ask_workers(settings.broker_url(), expected=workers_ready()).items()):
        since = datetime.fromisoformat(report["since"]).astimezone()
        older = _differing(report)
        what = f"an older {' and '.join(older)} than the saved one" if older else "the code as saved"
        lines.append(f"{name} runs {what}, since {since:%H:%M:%S}")
    return lines


def _worker_services() -> dict[str, Any]:
    services = (running() or {"services": {}})["services"]
    return {name: service for name, service in services.items() if name.startswith("worker")}


def _all_ready() -> bool:
    return {service["state"] for service in _worker_services().values()} == {"ready"}


def _starting() -> bool:
    """Return whether a worker is on its way: starting, or about to reload a file saved just now."""
    just_saved = time.time() - max(file.stat().st_mtime for file in program.TASKS.parent.glob("*.py")) < 10
    states = {service["state"] for service in _worker_services().values()}
    return bool(states & {"starting", "waiting", "stopping"}) or (bool(states) and just_saved)
