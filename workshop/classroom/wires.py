"""Machines that are none: network namespaces of Linux, each with an address and a cable of its own.

All cables end in one switch, a bridge, at which the central listens too. The names have a random part, so
that two rehearsals on one machine do not meet. It takes root and the command ``ip``.
"""

import os
import secrets
import shutil
import subprocess
from contextlib import suppress
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Wires:
    """A switch with its cables.

    Attributes
    ----------
    mark : str
        The random part of all names: six letters and digits.
    net : int
        The third number of all addresses, as in ``10.77.net.1``.
    """

    mark: str
    net: int

    @property
    def address(self) -> str:
        """Where the machines reach this computer."""
        return f"10.77.{self.net}.1"

    def address_of(self, number: int) -> str:
        """Return the address of a machine; numbers up to 240."""
        return f"10.77.{self.net}.{number + 10}"

    def namespace(self, number: int) -> str:
        """Return the name of a machine's namespace."""
        return f"workshop-{self.mark}-{number}"

    def prefix(self, number: int) -> list[str]:
        """Return what goes before a command that is to run on a machine."""
        return ["ip", "netns", "exec", self.namespace(number)]

    def plug_in(self, number: int) -> None:
        """Make a machine, with an address and a cable to the switch."""
        name, cable = self.namespace(number), self._cable(number)
        _ip("netns", "add", name)
        _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", cable, "master", self._switch, "up")
        _ip("-n", name, "address", "add", f"{self.address_of(number)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")
        _ip("-n", name, "route", "add", "default", "via", self.address)

    def cut(self, number: int) -> None:
        """Pull a machine's cable out of the switch."""
        _ip("link", "set", self._cable(number), "down")

    def heal(self, number: int) -> None:
        """Put it back."""
        _ip("link", "set", self._cable(number), "up")

    def remove(self) -> None:
        """Remove all machines and the switch. What still runs there has no network then."""
        shown = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
        for line in shown.splitlines():
            if line.startswith(f"workshop-{self.mark}-"):
                subprocess.run(["ip", "netns", "delete", line.split()[0]], capture_output=True)
        for device in psutil.net_if_addrs():
            if device.startswith(f"ws{self.mark}"):
                subprocess.run(["ip", "link", "delete", device], capture_output=True)

    @property
    def _switch(self) -> str:
        return f"ws{self.mark}"

    def _cable(self, number: int) -> str:
        return f"ws{self.mark}n{number}"


def wires() -> Wires | None:
    """Return a new switch; None where this machine or this user can't have one."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("ip"):
        return None
    every = [each.address for devices in psutil.net_if_addrs().values() for each in devices]
    free = [net for net in range(1, 255) if f"10.77.{net}.1" not in every]
    made = Wires(secrets.token_hex(3), secrets.choice(free))
    try:
        _ip("link", "add", made._switch, "type", "bridge")
        _ip("address", "add", f"{made.address}/24", "dev", made._switch)
        _ip("link", "set", made._switch, "up")
        made.plug_in(0)
    except subprocess.CalledProcessError:  # a container, for example, may be root and not allowed this
        made.remove()
        return None
    with suppress(subprocess.CalledProcessError):
        _ip("netns", "delete", made.namespace(0))
    return made


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
