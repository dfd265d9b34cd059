"""A central that listens on an address which other machines could reach, and what a machine has of it."""

import fcntl
import json
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import amqp
import psycopg
import pytest

from backstage.classroom import central, network
from backstage.classroom.card import Card
from tests.integration.machine import Machine
from tests.servers import at


@contextmanager
def lan() -> Iterator[str]:
    """Yield an address beyond 127.0.0.1: one of this machine, or one that root makes until the end."""
    if found := network.addresses():
        yield found[0]
        return
    if os.geteuid() != 0:
        yield "127.0.0.1"
        return
    _give_loopback(address := f"203.0.113.{1 + os.getpid() % 250}")
    try:
        yield address
    finally:
        _give_loopback("0.0.0.0")


def _give_loopback(address: str) -> None:
    """Let this machine have one more address, until it gets 0.0.0.0 instead."""
    request = struct.pack("16sH2x4s8x", b"lo:77", socket.AF_INET, socket.inet_aton(address))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, 0x8916, request)  # SIOCSIFADDR, as `ifconfig` does it


def beyond(card: Card) -> None:
    """Skip a test that needs a central which other machines could reach."""
    if IPv4Address(card.host).is_loopback:
        pytest.skip("this machine has no address but 127.0.0.1, and only root can make one")


@contextmanager
def settled(folder: Path) -> Iterator[Machine]:
    """Yield a machine whose central, if it has one, this process sees; at the end nothing runs there."""
    machine = Machine(folder / "state")
    with at(machine.state):
        try:
            yield machine
        finally:
            machine.workshop("class", "stop")
            machine.workshop("down", "--purge")
            machine.until_gone(set(), 10)


@dataclass
class Central(Machine):
    """The central of a machine: the same services, with a virtual host and a database of its own."""

    def stack(self) -> dict[str, Any]:
        stack, id = super().stack(), json.loads((self.state / "central.json").read_text())["id"]
        urls = ("broker_url", "database_url")
        return stack | {name: f"{stack[name].rpartition('/')[0]}/{id}" for name in urls}


@dataclass(frozen=True)
class Classroom:
    """A central that runs, and the machine of whoever started it."""

    instructor: Machine
    address: str
    cards: list[Card]

    @property
    def central(self) -> Machine:
        return Central(self.instructor.state)


@contextmanager
def opened(folder: Path, machines: int) -> Iterator[Classroom]:
    """Open a central for some machines; outside of the block this process sees it only if it wants to."""
    instructor = Machine(folder / "state")
    with lan() as address:
        try:
            with at(instructor.state):
                cards = central.start(machines, address)
            yield Classroom(instructor, address, cards)
        finally:
            instructor.workshop("class", "stop")
            instructor.workshop("down", "--purge")
            instructor.until_gone(set(), 10)


@contextmanager
def broker(card: Card, **changed: object) -> Iterator[amqp.Channel]:
    """Yield a channel at the broker, with a machine's account, that waits for each message's confirmation."""
    of = vars(card.broker) | changed
    connection = amqp.Connection(
        host=f"{of['host']}:{of['port']}",
        userid=of["user"],
        password=of["password"],
        virtual_host=of["virtual_host"],
        login_method="PLAIN",
        confirm_publish=True,
        connect_timeout=5,
        read_timeout=20,
        write_timeout=20,
    )
    connection.connect()
    try:
        yield connection.channel()
    finally:
        if connection.connected:
            connection.collect()


def database(card: Card, **changed: object) -> psycopg.Connection:
    """Return a connection to the database with a machine's account."""
    of = vars(card.database) | changed
    return psycopg.connect(
        host=str(of["host"]),
        port=of["port"],
        user=of["user"],
        password=of["password"],
        dbname=of["name"],
        connect_timeout=5,
        autocommit=True,
    )
