"""At which addresses other machines reach this one."""

import socket
from ipaddress import IPv4Interface, ip_address

import psutil

from backstage.stack import containers
from backstage.stack.site import HOST
from backstage.stack.texts import refusal
from workshop.errors import WrongUse


def the_address() -> str:
    """Return the one IPv4 address at which other machines may reach this one.

    Raises
    ------
    WorkshopError
        If there is none, or if there are several; the sentence names them.
    """
    found = addresses()
    if len(found) != 1:
        raise refusal("which-address", addresses=", ".join(found) or "none", here=HOST)
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


def _interfaces() -> list[IPv4Interface]:
    """Return the IPv4 addresses at which other machines may reach this one, with their networks."""
    every = (each for found in psutil.net_if_addrs().values() for each in found)
    own = [each for each in every if each.family == socket.AF_INET and each.netmask]
    found = [IPv4Interface(f"{each.address}/{each.netmask}") for each in own]
    return [each for each in found if not each.ip.is_loopback]
