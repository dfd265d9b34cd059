"""Whether the stack of this course runs, how its services are, and where."""

import os
import time
from collections.abc import Callable
from typing import Any

from backstage.stack import cloud, containers
from backstage.stack.process import born
from backstage.stack.site import HOST, Site, new_site
from workshop import state_folder
from workshop.errors import WorkshopError

_WIDTH = 10
"""Of the column with the names of services: a bit more than the longest one on a machine."""


def running() -> dict[str, Any] | None:
    """Return the content of ``stack.json`` if its supervisor lives, else None. Containers are asked."""
    if containers.inside():
        from backstage.stack import compose  # it knows all services, which ask here

        return compose.running()
    stack = state_folder.read("stack.json")
    return stack if "pid" in stack and born(stack["pid"]) == stack["born"] else None


def running_site() -> Site | None:
    """Return the site of the running stack, if there is one."""
    if containers.inside():
        return new_site()
    if stack := running():
        return Site(state_folder.state_dir(), stack["ports"], state_folder.read("token.json")["token"])
    return None


def statuses() -> dict[str, dict[str, Any]]:
    """Return the status of each service by name, see `backstage.stack.service.Status`; empty if none runs."""
    stack = running()
    return stack["services"] if stack else {}


def services() -> dict[str, str]:
    """Return the state of each service by name, such as ``{"postgis": "ready"}``.

    Raises
    ------
    WorkshopError
        If the stack is not running.
    """
    return {name: status["state"] for name, status in _of_those_there().items()}


def status() -> str:
    """Return how each service is and what last happened to it, a line for each.

    Raises
    ------
    WorkshopError
        If the stack is not running.
    """
    found = _of_those_there()
    width = max(_WIDTH, *map(len, found))  # a container's worker is named after it too
    return "\n".join(_line(*each, width) for each in found.items())


def _of_those_there() -> dict[str, dict[str, Any]]:
    if found := statuses():
        return found
    raise WorkshopError("The services are not running.", "workshop up")


def say_news(services: dict[str, Any], before: list[str], say: Callable[[str], None]) -> list[str]:
    """Say the same line for each service that is ready or broken, and was not before.

    Parameters
    ----------
    services : dict
        The status of each service by name.
    before : list of str
        What this returned the last time.
    say : callable
        Shows a line.

    Returns
    -------
    list of str
        The lines of all that are ready or broken.
    """
    now = [_line(*each) for each in services.items() if each[1]["state"] in ("ready", "broken")]
    for line in now:
        if line not in before:
            say(line)
    return now


def _line(name: str, status: dict[str, Any], width: int = _WIDTH) -> str:
    times = status["restarts"]
    restarts = f"{times} restart{'s' if times > 1 else ''}, last: " if times else ""
    return f"{name:<{width}} {status['state']:<9} {restarts}{status['message']}".rstrip()


def addresses() -> str:
    """Return where to look at the running services, in words.

    Raises
    ------
    WorkshopError
        If the stack is not running.
    """
    inside, names = running_site(), services()
    assert inside is not None
    site = inside.published()
    lab = cloud.address(site.lab_url, "lab/tree/notebooks/00-start-here.ipynb")
    flower = cloud.address(site.flower_url, "flower/")
    management = cloud.address(site.management_url, "rabbitmq/")
    lines = {
        "lab": f"JupyterLab  {lab}",
        "flower": f"Flower      {flower}  user flower, password {site.token}",
        "rabbitmq": f"RabbitMQ    {management}  user celery_user, password secret",
        "postgis": f"PostGIS     host {HOST}, port {site.ports['postgis']}, database geopython-db,\n"
        f"            schema geopython, user geopython, password geopython",
    }
    return "\n".join(line for name, line in lines.items() if name in names)


def readiness() -> str:
    """Return READY, and which services are not."""
    broken = [name for name, state in services().items() if state != "ready"]
    return f"READY, except {', '.join(broken)}. Next: workshop doctor" if broken else "READY"


def elsewhere() -> list[str]:
    """Return, in words, what sends tasks or rows elsewhere than to the services of this machine."""
    found = [
        f"{key} is set in the environment, so tasks use that address and not this machine's {name}"
        for key, name in (("WORKSHOP_BROKER_URL", "RabbitMQ"), ("WORKSHOP_DATABASE_URL", "PostGIS"))
        if os.environ.get(key) and not containers.inside()
    ]
    if state_folder.read("joined.json"):
        found.append("this machine joined a central queue, so tasks go there")
    return found


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until a condition holds; return whether it did in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True
