"""The course in containers, as ``docker-compose.yml`` starts it: one part in each, its neighbours elsewhere.

Each container runs ``workshop up PART``. What a person changes (settings, a joined central queue) and what
the parts say of themselves is in one folder that all containers share. There is a file ``stack@HOST.json``
for each container, which counts as long as its supervisor holds the lock ``lock@HOST``.

``python -m backstage.stack.containers`` is the health check: it says how this container's part is.
"""

import os
import socket
import sys
from pathlib import Path
from typing import Any

from workshop import state_folder

HOSTS = {
    "postgis": "postgis",
    "rabbitmq": "rabbitmq",
    "management": "rabbitmq",
    "flower": "flower",
    "lab": "lab",
}
"""On which of the containers each port is."""

_PUBLISHED = "WORKSHOP_PUBLISHED"


def inside() -> bool:
    """Return whether this is one of the course's containers."""
    return bool(os.environ.get(_PUBLISHED))


def hosts() -> dict[str, str]:
    """Return on which of the containers each port is; empty elsewhere."""
    return HOSTS if inside() else {}


def listen(host: str) -> str:
    """Return the address at which a program of this host listens.

    In a container it is all of its addresses; what is published of it is on 127.0.0.1 of the computer.
    """
    return "0.0.0.0" if inside() else host


def published_ports() -> dict[str, int]:
    """Return as which port of the computer each port is published: ``WORKSHOP_PUBLISHED``, ``lab=8888 ...``.

    Empty elsewhere than in containers.
    """
    pairs = (pair.split("=") for pair in os.environ.get(_PUBLISHED, "").split())
    return {name: int(port) for name, port in pairs}


def own(name: str) -> str:
    """Return the name of a file that each container has for itself, such as ``lock@3f2a``; else `name`."""
    if not inside():
        return name
    stem, dot, suffix = name.partition(".")
    return f"{stem}@{socket.gethostname()}{dot}{suffix}"


def running() -> dict[str, Any] | None:
    """Return what the supervisors of all containers say, as if it were one stack; None if none lives.

    A second container's worker has the container's name in its own, such as ``worker1@3f2a``.
    """
    living = [file.name for file in sorted(_files()) if _is_held(_lock_of(file))]
    stacks = [stack for name in living if (stack := state_folder.read(name))]  # one may end at this moment
    if not stacks:
        return None
    services: dict[str, Any] = {}
    for stack in stacks:
        for name, service in stack["services"].items():
            if name not in services:
                services[name] = service
            elif name.startswith("worker"):
                services[f"{name}@{service['machine']}"] = service
    order = ("postgis", "rabbitmq", "flower", "lab")
    first = {name: services[name] for name in order if name in services}
    following = [stack for stack in stacks if any(name.startswith("worker") for name in stack["services"])]
    matches = [stack["matches"] for stack in following or stacks]
    agreed = matches[0] if matches[1:] == matches[:-1] else None  # while they differ, not all follow yet
    return stacks[0] | {"services": first | services, "matches": agreed}


def own_services() -> dict[str, Any]:
    """Return how the services of this container are."""
    return state_folder.read(own("stack.json")).get("services", {})


def forget_the_gone() -> None:
    """Remove the files of containers that are no more."""
    for file in _files():
        if not _is_held(_lock_of(file)):
            file.unlink(missing_ok=True)


def not_writable(course: Path) -> str:
    """Return what to say when this container's user may not write in the course's folder."""
    owner = course.stat()
    return (
        f"The course's folder belongs to user {owner.st_uid}, group {owner.st_gid}. This container runs as\n"
        f"user {os.getuid()}, group {os.getgid()}, who can't write there.\n"
        "Next: write these two lines into the file .env beside docker-compose.yml:\n"
        f"COURSE_UID={owner.st_uid}\nCOURSE_GID={owner.st_gid}\nThen: docker compose up --build"
    )


def _files() -> list[Path]:
    return list(state_folder.state_dir().glob("stack@*.json"))


def _lock_of(file: Path) -> Path:
    return file.with_name(f"lock{file.stem.removeprefix('stack')}")


def _is_held(lock: Path) -> bool:
    import fcntl  # Windows has none, and runs no containers of Windows here

    try:
        with lock.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def main() -> int:
    """Say how this container's part is; return 0 if it is ready."""
    services = own_services()
    for name, service in services.items():
        print(f"{name:<10} {service['state']:<9} {service['message']}".rstrip())
    ready = bool(services) and all(service["state"] == "ready" for service in services.values())
    return 0 if ready and _is_held(state_folder.state_dir() / own("lock")) else 1


if __name__ == "__main__":
    sys.exit(main())
