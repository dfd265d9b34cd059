"""How this machine is connected: at which addresses others reach it, and why no way leads to a central.

A venue's Wi-Fi often lets each machine reach the internet, but no other machine in the room.
"""

import socket
from contextlib import suppress
from ipaddress import IPv4Interface, ip_address

import psutil

from backstage.stack import cloud, containers
from backstage.stack.site import HOST
from backstage.stack.texts import refusal, words
from workshop.errors import WrongUse


def the_address() -> str:
    """Return the one IPv4 address at which other machines may reach this one.

    Raises
    ------
    WorkshopError
        If there is none, or if there are several; the sentence names them.
    """
    found = addresses()
    if not found:
        raise refusal("no-address", here=HOST)
    if len(found) > 1:
        several = {"number": len(found), "addresses": ", ".join(found), "first": found[0]}
        raise refusal("several-addresses", **several)
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
    networks, shared = [each.network for each in _interfaces()], []
    with suppress(ValueError):  # it may be a name
        shared = [each for each in networks if ip_address(host) in each]
    if cloud.in_codespaces() or cloud.in_hub():
        place = "cloud"
    elif containers.inside():
        place = "containers"
    else:
        place = "same-network" if shared else "other-network"
    seen = {"host": host, "networks": ", ".join(map(str, networks)) or "none", "ways_on": words("ways-on")}
    shown = {"shared": " and ".join(map(str, shared))} | seen
    return words(f"{place}-why", **shown), words(f"{place}-next", **shown)


def _interfaces() -> list[IPv4Interface]:
    """Return the IPv4 addresses at which other machines may reach this one, with their networks."""
    every = (each for found in psutil.net_if_addrs().values() for each in found)
    own = [each for each in every if each.family == socket.AF_INET and each.netmask]
    found = [IPv4Interface(f"{each.address}/{each.netmask}") for each in own]
    return [each for each in found if not each.ip.is_loopback]
