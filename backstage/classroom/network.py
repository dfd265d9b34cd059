"""Why no way leads from here to a central, and what to do then.

Clouds and containers are told by their own marks. A venue's Wi-Fi often lets each machine reach the
internet, but no other machine in the room.
"""

import os
import socket
from ipaddress import IPv4Address, IPv4Interface, ip_address

import psutil

from backstage.stack import cloud, containers

_NEIGHBOUR = "work together at a neighbour's machine"
_NETWORK = (
    "ask for another network (the instructor's own router, or a phone's hotspot that central and you are in)"
)


def explain(host: str) -> tuple[str, str]:
    """Return why this machine perhaps does not reach a central, and what to do next, in words.

    Parameters
    ----------
    host : str
        The central's address.
    """
    if cloud.in_codespaces():
        return _in_a_cloud("in a codespace")
    if cloud.in_hub():
        return _in_a_cloud("on Binder" if os.environ.get("BINDER_LAUNCH_HOST") else "on a JupyterHub")
    if containers.inside():
        return _in_a_container(host)
    if network := _shared_network(host):
        return (
            f"Both are in the network {network}, so this Wi-Fi seems to keep its machines apart from each "
            "other, or a firewall on the central's machine shuts the port.",
            _ways_on(),
        )
    here = ", ".join(str(each.network) for each in interfaces()) or "none"
    return (
        f"This machine is in another network: {here}.",
        f"connect to the central's network; or {_ways_on()}",
    )


def own_addresses() -> set[str]:
    """Return all addresses of this machine."""
    return {each.address for every in psutil.net_if_addrs().values() for each in every}


def _ways_on() -> str:
    return f"{_NEIGHBOUR}, or {_NETWORK}, {_alone()}"


def _alone() -> str:
    if containers.inside():
        return "or give your own queue more workers: workshop scale 3"
    return 'or do it alone: in notebook 03, write CODE = "" and run its cells from there again'


def _in_a_cloud(where: str) -> tuple[str, str]:
    why = f"This course runs {where}, far away: from there no way leads to a machine in your room."
    return why, f"{_NEIGHBOUR}, {_alone()}"


def _in_a_container(host: str) -> tuple[str, str]:
    if _is_loopback(host):
        return (
            f"This course runs in containers, and {host} is this container itself there.",
            "ask for a card with the central's address in the room's network",
        )
    return (
        f"This course runs in containers. Perhaps your computer itself does not reach {host} either: some "
        "Wi-Fis keep their machines apart.",
        f"ping {host} in a terminal of your own computer. If that works, restart Docker and join again; "
        f"if not, {_ways_on()}",
    )


def _shared_network(host: str) -> str:
    """Return the network in which both an address and this machine are; empty if there is none."""
    if _is_loopback(host):
        return ""
    for each in interfaces():
        try:
            if ip_address(host) in each.network:
                return str(each.network)
        except ValueError:
            return ""  # a name
    return ""


def interfaces() -> list[IPv4Interface]:
    """Return the IPv4 addresses at which other machines may reach this one, with their networks."""
    every = (each for found in psutil.net_if_addrs().values() for each in found)
    own = [each for each in every if each.family == socket.AF_INET and each.netmask]
    found = [IPv4Interface(f"{each.address}/{each.netmask}") for each in own]
    return [each for each in found if not each.ip.is_loopback]


def _is_loopback(host: str) -> bool:
    try:
        return IPv4Address(host).is_loopback
    except ValueError:
        return host == "localhost"
