"""Changes what the stack that runs is to run: more parts, or another number of workers."""

from backstage.stack import plan
from backstage.stack.status import running, services, until
from backstage.stack.workers import FAST
from workshop import settings, state_folder
from workshop.errors import WorkshopError
from workshop.kinds import MOST_WORKERS, valid, valid_setting, whole

_WORKERS = whole(1, MOST_WORKERS)


def add(names: tuple[str, ...]) -> list[str]:
    """Let the stack that runs run more parts, and wait until they are ready.

    Parameters
    ----------
    names : tuple of str
        The parts that are wanted; all of `NAMES` if empty.

    Returns
    -------
    list of str
        Those of them that did not run yet.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they are not ready in time.
    """
    there = tuple(services())
    missing = [name for name in names or plan.NAMES if not any(each.startswith(name) for each in there)]
    if missing:
        if "worker" in missing:
            settings.change(workers=None)  # a killed reset left none
        added = state_folder.read("parts.json").get("added", [])
        state_folder.write("parts.json", {"added": added + missing})
        settle(tuple(missing))
    return missing


def scale(
    workers: int | None, processes: int | None = None, fast: bool = False, prefetch: int | None = None
) -> None:
    """Change how many workers this machine runs, and wait until they are ready.

    Parameters
    ----------
    workers : int, optional
        How many workers; None for one.
    processes : int, optional
        How many tasks each of them runs side by side; None for one per core, and at most 8.
    fast : bool
        Whether they run them in threads of one process, see `backstage.stack.workers.worker`: faster, without
        time limits.
    prefetch : int, optional
        How many messages a worker takes for each of its processes; None for two.

    Raises
    ------
    WorkshopError
        If the stack is not running, or runs without workers,
        or if a number is wrong, or the database has not so many sessions; nothing is changed then,
        or if the workers are not ready in time.
    """
    require_workers()
    workers = valid(_WORKERS, "workers", 1 if workers is None else workers, "scale(1)")
    processes = valid_setting("processes", "processes", processes)
    plan.require_sessions(workers, processes or plan.usual_processes(fast))
    profile = FAST if fast else None
    settings.change(workers=workers, processes=processes, profile=profile, prefetch=prefetch)
    settle()


def has_workers() -> bool:
    """Return whether this machine runs workers.

    Raises
    ------
    WorkshopError
        If the stack is not running.
    """
    return any(name.startswith("worker") for name in services())


def require_workers() -> None:
    """Raise `WorkshopError` if the stack is not running, or runs without workers."""
    if not has_workers():
        raise WorkshopError("The services were started without workers.", "workshop up worker")


def settle(of: tuple[str, ...] = ("worker",), seconds: float = 60) -> None:
    """Wait until services are as settings, the joined queue and a central want them now: ready, or gone.

    Parameters
    ----------
    of : tuple of str
        How their names begin; by default this machine's workers.
    seconds : float
        How long to wait.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they are not so in time.
    """
    if not until(lambda: _is_settled(of), seconds):
        raise WorkshopError(f"{', '.join(of)}: not as wanted after {seconds:.0f} s.", "workshop status")


def _is_settled(of: tuple[str, ...]) -> bool:
    stack = running()
    if stack is None:
        raise WorkshopError("The services were stopped meanwhile.", "workshop up")
    states = {service["state"] for name, service in stack["services"].items() if name.startswith(of)}
    return states <= {"ready"} and stack["matches"] == plan.wishes()
