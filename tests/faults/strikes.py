"""The faults themselves: what each of them does to a private stack."""

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import psutil

from tests.faults.relay import Relays
from tests.faults.timetable import Fault
from tests.integration.machine import Machine, frozen

CUT, FREEZE = 6, 4
"""Seconds."""


@dataclass
class Scene:
    """What a fault can hit."""

    machine: Machine
    relays: Relays

    def workers(self) -> dict[str, dict[str, Any]]:
        """Return how the workers are, by name."""
        services = self.machine.stack()["services"].items()
        return {name: each for name, each in services if name.startswith("worker")}


def strike(fault: Fault, scene: Scene) -> str:
    """Let a fault happen, and return what exactly it hit."""
    return _STRIKES[fault.kind](fault, scene)


def _worker_killed(fault: Fault, scene: Scene) -> str:
    name, pid = _worker(fault, scene)
    os.killpg(pid, signal.SIGKILL)  # its children too, at once
    return name


def _child_killed(fault: Fault, scene: Scene) -> str:
    name, pid = _worker(fault, scene)
    children = sorted(psutil.Process(pid).children(), key=lambda child: child.pid)
    children[int(fault.choice * 997) % len(children)].kill()
    return f"one of {name}"


def _worker(fault: Fault, scene: Scene) -> tuple[str, int]:
    workers = sorted(scene.workers().items())
    name, worker = workers[int(fault.choice * len(workers))]
    return name, worker["pid"]


def _signalled(service: str, number: signal.Signals) -> Callable[[Fault, Scene], str]:
    def hit(fault: Fault, scene: Scene) -> str:
        psutil.Process(scene.machine.service(service)["pid"]).send_signal(number)
        return number.name

    return hit


def _network_cut(fault: Fault, scene: Scene) -> str:
    scene.relays.cut()
    try:
        time.sleep(CUT)
    finally:
        scene.relays.heal()
    return f"{CUT} s"


def _frozen(fault: Fault, scene: Scene) -> str:
    service = "rabbitmq" if fault.choice < 0.5 else "postgis"
    with frozen(scene.machine.service(service)["pid"]):
        time.sleep(FREEZE)
    return f"{service}, {FREEZE} s"


_STRIKES: dict[str, Callable[[Fault, Scene], str]] = {
    "worker killed": _worker_killed,
    "child killed": _child_killed,
    "broker killed": _signalled("rabbitmq", signal.SIGKILL),
    "broker restarted": _signalled("rabbitmq", signal.SIGTERM),
    "database killed": _signalled("postgis", signal.SIGKILL),
    "database crashed": _signalled("postgis", signal.SIGQUIT),
    "network cut": _network_cut,
    "frozen": _frozen,
}
