"""Machines with cables: network namespaces of Linux, joined by a switch at which the central listens."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager


class Cables:
    """A switch of this computer, and machines behind it, by number; only root can have them."""

    def __init__(self) -> None:
        self._name = f"w{os.getpid()}"
        self._net = f"10.78.{os.getpid() % 250 + 1}"
        self.address = f"{self._net}.1"
        _ip("link", "add", self._name, "type", "bridge")
        _ip("address", "add", f"{self.address}/24", "dev", self._name)
        _ip("link", "set", self._name, "up")

    def address_of(self, number: int) -> str:
        return f"{self._net}.{number + 10}"

    def plug_in(self, number: int) -> None:
        machine, cable = self._machine(number), self._cable(number)
        _ip("netns", "add", machine)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", machine)
        _ip("link", "set", cable, "master", self._name, "up")
        _ip("-n", machine, "address", "add", f"{self.address_of(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", machine, "link", "set", device, "up")

    def prefix(self, number: int) -> list[str]:
        """Return what goes before a command that is to run on a machine."""
        return ["ip", "netns", "exec", self._machine(number)]

    def cut(self, number: int) -> None:
        _ip("link", "set", self._cable(number), "down")

    def heal(self, number: int) -> None:
        _ip("link", "set", self._cable(number), "up")

    def remove(self, machines: int) -> None:
        for number in range(1, machines + 1):
            _ip("netns", "delete", self._machine(number), check=False)
        _ip("link", "delete", self._name, check=False)

    def _machine(self, number: int) -> str:
        return f"{self._name}-{number}"

    def _cable(self, number: int) -> str:
        return f"{self._name}n{number}"


@contextmanager
def cables(machines: int) -> Iterator[Cables | None]:
    """Yield a switch with a cable to each of some machines; None where there can't be one."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        yield None
        return
    made = Cables()
    try:
        for number in range(1, machines + 1):
            made.plug_in(number)
        yield made
    finally:
        made.remove(machines)


def _ip(*arguments: str, check: bool = True) -> None:
    subprocess.run(["ip", *arguments], check=check, capture_output=True)
