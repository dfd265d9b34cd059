"""Changes how many workers this machine runs, and lets them pause."""

from backstage.stack import plan
from backstage.stack.status import running, services, until
from workshop import settings, state_folder
from workshop.errors import WorkshopError


def scale(workers: int | None, processes: int | None = None, patience: float = 60) -> None:
    """Change how many workers this machine runs, and wait until they are ready.

    Parameters
    ----------
    workers : int, optional
        How many workers; None for one.
    processes : int, optional
        How many tasks each of them runs side by side; None for one per core, and at most 8.
    patience : float
        Seconds to wait.

    Raises
    ------
    WorkshopError
        If the stack is not running, or runs without workers,
        or if the database has not so many sessions; nothing is changed then,
        or if the workers are not ready in time.
    """
    require_workers()
    plan.require_sessions(workers or 1, processes or plan.usual_processes())
    settings.change(workers=workers, processes=processes)
    until_ready(patience)


def require_workers() -> None:
    """Raise `WorkshopError` if the stack is not running, or runs without workers."""
    if not any(name.startswith("worker") for name in services()):
        raise WorkshopError("The services were started without workers.", "workshop down, then workshop up")


def pause(patience: float = 75) -> bool:
    """Let all workers end what they do and stop; return whether there were any.

    Tasks that they hold, such as those that wait for the time of a retry, go back to the queue. The pause
    ends when the setting ``paused`` is taken back.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they do not stop within `patience` seconds.
    """
    had_workers = bool(_workers())
    settings.change(paused=1)
    if not until(lambda: _workers() == {}, patience):
        raise WorkshopError(f"The workers have not stopped after {patience:.0f} s.", "workshop status")
    return had_workers


def until_ready(patience: float = 60) -> None:
    """Wait until this machine's workers are ready, as the settings and the joined queue want them now.

    Raises
    ------
    WorkshopError
        If the stack is not running,
        or if they are not ready within `patience` seconds.
    """
    if not until(lambda: set((_workers() or {}).values()) == {"ready"}, patience):
        raise WorkshopError(f"The workers are not ready after {patience:.0f} s.", "workshop status")


def _workers() -> dict[str, str] | None:
    """Return the state of each worker; None while the stack does not follow the newest settings yet."""
    stack = running()
    if stack is None:
        raise WorkshopError("The services were stopped meanwhile.", "workshop up")
    if stack["matches"] != {name: state_folder.read(f"{name}.json") for name in ("settings", "joined")}:
        return None
    services = stack["services"].items()
    return {name: service["state"] for name, service in services if name.startswith("worker")}
