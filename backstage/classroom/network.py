"""How this machine is connected: at which addresses others reach it, and why no way leads to a central.

A venue's Wi-Fi often lets each machine reach the internet, but no other machine in the room.
"""

import socket
from contextlib import suppress
from ipaddress import IPv4Interface, ip_address

import psutil

from backstage.stack import cloud, containers
from backstage.stack.site import HOST
from workshop.errors import WorkshopError, WrongUse

_TOGETHER = "work together at a neighbour's machine"


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
            f"This machine has no address but {HOST}, so no other machine can reach it.\n",
            f"connect it to a network, or try it alone: workshop class start --address {HOST}",
        )
    if len(found) > 1:
        raise WorkshopError(
            f"This machine has {len(found)} addresses: {', '.join(found)}.\n",
            f"choose the one in the class's network: workshop class start --address {found[0]}",
        )
    return found[0]


def require_own(address: str) -> None:
    """Raise `WrongUse` if an address is no IPv4 address of this machine."""
    if address not in (own := [HOST, *addresses()]):
        raise WrongUse(
            f"{address} is no IPv4 address of this machine. It has: {', '.join(own)}.\n",
            "workshop class start --address with one of them",
        )


def addresses() -> list[str]:
    """Return the IPv4 addresses at which other machines may reach this one."""
    return [str(each.ip) for each in _interfaces()]


def is_here(address: str) -> bool:
    """Return whether this machine has an address; in containers, whether it or a neighbour has it."""
    if containers.inside():
        return any(ip_address(address) in each.network for each in _interfaces())
    return address in (HOST, *addresses())


def explain(host: str) -> tuple[str, str]:
    """Return why this machine perhaps does not reach a central, and what to do next, in words.

    Parameters
    ----------
    host : str
        The central's address.
    """
    if cloud.in_codespaces() or cloud.in_hub():
        why = "This course runs in a cloud, far away: from there no way leads to a machine in your room."
        return why, f"{_TOGETHER}, {_alone()}"
    if containers.inside():
        return (
            "This course runs in containers. Perhaps your computer itself does not reach the central either: "
            "some Wi-Fis keep their machines apart.",
            f"ping {host} in a terminal of your own computer. If that works, restart Docker and join again; "
            f"if not, {_ways_on()}",
        )
    networks = [each.network for each in _interfaces()]
    with suppress(ValueError):  # it may be a name
        for each in networks:
            if ip_address(host) in each:
                why = f"Both are in the network {each}, so this Wi-Fi seems to keep its machines apart"
                return f"{why}, or a firewall on the central's machine shuts the port.", _ways_on()
    here = ", ".join(map(str, networks)) or "none"
    return (
        f"This machine is in another network: {here}.",
        f"connect to the central's network; or {_ways_on()}",
    )


def _ways_on() -> str:
    return (
        f"{_TOGETHER}, or ask your instructor to open the firewall or another network (the instructor's own "
        f"router, or a phone's hotspot that central and you are in), {_alone()}"
    )


def _alone() -> str:
    return 'or do it alone: in notebook 03, write CODE = "" and run its cells from there again'


def _interfaces() -> list[IPv4Interface]:
    """Return the IPv4 addresses at which other machines may reach this one, with their networks."""
    every = (each for found in psutil.net_if_addrs().values() for each in found)
    own = [each for each in every if each.family == socket.AF_INET and each.netmask]
    found = [IPv4Interface(f"{each.address}/{each.netmask}") for each in own]
    return [each for each in found if not each.ip.is_loopback]
