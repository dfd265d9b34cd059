"""At which addresses other machines may reach this one."""

import socket
from ipaddress import IPv4Address
from pathlib import Path

from backstage.classroom.network import interfaces
from workshop.errors import WorkshopError

_UFW = Path("/etc/ufw/ufw.conf")


def the_address() -> str:
    """Return the one IPv4 address at which other machines may reach this one.

    Raises
    ------
    WorkshopError
        If there is none, or if there are several; the sentence names them.
    """
    found = addresses()
    if not found:
        raise WorkshopError(
            "This machine has no address but 127.0.0.1, so no other machine can reach it.\n",
            "connect it to a network, or try it alone: workshop class start --address 127.0.0.1",
        )
    if len(found) > 1:
        raise WorkshopError(
            f"This machine has {len(found)} addresses: {', '.join(found)}.\n",
            f"choose the one in the class's network: workshop class start --address {found[0]}",
        )
    return found[0]


def require_own(address: str) -> None:
    """Raise `WorkshopError` if an address is no IPv4 address of this machine."""
    try:
        own = not (IPv4Address(address).is_unspecified or IPv4Address(address).is_multicast)
        with socket.socket() as trial:
            trial.bind((address, 0))
    except (ValueError, OSError):
        own = False
    if not own:
        raise WorkshopError(
            f"{address} is no IPv4 address of this machine. "
            f"It has: {', '.join(addresses()) or 'none but 127.0.0.1'}.\n",
            "workshop class start --address with one of them",
        )


def addresses() -> list[str]:
    """Return the IPv4 addresses at which other machines may reach this one."""
    return [str(each.ip) for each in interfaces()]


def firewall(ports: list[int]) -> str:
    """Return what to do about Ubuntu's firewall if it is on; nothing if it is off or another."""
    try:
        on = "ENABLED=yes" in _UFW.read_text(encoding="utf-8")
    except OSError:
        return ""
    if not on:
        return ""
    allow = f"sudo ufw allow proto tcp to any port {','.join(map(str, ports))}"
    return f"The firewall ufw is on and may keep the machines out. Next: {allow}"
