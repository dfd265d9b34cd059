"""A stack on its own: its commands, its processes, and whether anything of it is left."""

import json
import os
import shutil
import socket
import subprocess
import sys
import urllib.request
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
from kombu import Connection

from tests.waiting import RUN, hear_ctrl_c, wait_for

ROOT = Path(__file__).resolve().parents[2]
CORE = ("postgis", "rabbitmq", "worker")


def copy_course(target: Path) -> Path:
    """Copy the course, so that a test can edit its code."""
    for room in ("workshop", "backstage"):
        shutil.copytree(ROOT / room, target / room)
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


@dataclass
class Machine:
    state: Path
    course: Path = ROOT
    ports: str = "any"

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "WORKSHOP_STATE": str(self.state),
            "WORKSHOP_PORTS": self.ports,
            "WORKSHOP_FAULT_RATE": "0",
            "WORKSHOP_TESTS": RUN,
        }
        others = {name: value for name, value in os.environ.items() if not name.startswith("WORKSHOP_")}
        return others | ours

    def python(self, code: str) -> subprocess.CompletedProcess[str]:
        """Run some Python in the course's folder, with its state, as the command `workshop` would."""
        command = [sys.executable, "-c", code]
        return subprocess.run(
            command, env=self.environment, cwd=self.course, capture_output=True, text=True, timeout=240
        )

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "backstage", *arguments],
            env=self.environment | environment,
            cwd=self.course,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=hear_ctrl_c,
        )

    def workshop(self, *arguments: str, code: int = 0, timeout: float = 720, **environment: str) -> str:
        """Run a command, require its exit code, and return what it shows."""
        process = self.popen(*arguments, **environment)
        try:
            shown, _ = process.communicate(timeout=timeout)
        finally:
            process.kill()
        assert process.returncode == code, shown
        assert "Traceback (most recent" not in shown or arguments[0] == "logs", shown
        return shown

    def stack(self) -> dict[str, Any]:
        return json.loads((self.state / "stack.json").read_text())

    def service(self, name: str) -> dict[str, Any]:
        return self.stack()["services"][name]

    def until_again(self, name: str, since: int, seconds: float = 45) -> None:
        """Wait until a service is ready as another process than before."""
        wait_for(
            lambda: self.service(name)["state"] == "ready" and self.service(name)["pid"] != since,
            seconds,
            f"{name} ready again",
        )

    def processes(self) -> set[psutil.Process]:
        """Return everything that runs for this stack."""
        found = set()
        for process in psutil.process_iter():
            try:
                ours = process.environ().get("WORKSHOP_STATE") == str(self.state)
                if ours or any(str(self.state) in word for word in process.cmdline()):
                    found |= {process, *process.children(recursive=True)}
            except psutil.Error:
                pass
        return found

    def until_gone(self, known: set[psutil.Process], seconds: float) -> None:
        """Wait until neither the known processes run nor any other of this stack."""
        wait_for(lambda: not any(map(lives, known)), seconds, f"an end of {known}")
        wait_for(lambda: not any(map(lives, self.processes())), seconds, f"an end of {self.processes()}")

    def sql(self, statement: str, *values: object) -> list[tuple]:
        url = self.stack()["database_url"].replace("+psycopg", "")
        with psycopg.connect(url, autocommit=True) as connection:
            answer = connection.execute(statement, values)
            return answer.fetchall() if answer.description else []

    def amqp(self) -> Connection:
        confirmed = {"confirm_publish": True}
        return Connection(self.stack()["broker_url"], connect_timeout=5, transport_options=confirmed)


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """Stop a process and everything it started for a while, as a machine that hangs."""
    main = psutil.Process(pid)
    every = [main, *main.children(recursive=True)]
    for process in every:
        process.suspend()
    try:
        yield
    finally:
        for process in every:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def manage(machine: Machine, method: str, path: str, content: object = None) -> bytes:
    """Ask RabbitMQ's management interface as its administrator."""
    stack = machine.stack()
    login = urlsplit(stack["broker_url"])
    token = b64encode(f"{login.username}:{login.password}".encode()).decode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{stack['ports']['management']}/api/{path}",
        method=method,
        data=None if content is None else json.dumps(content).encode(),
        headers={"Authorization": f"Basic {token}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return answer.read()


def command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:  # it has ended meanwhile, as the short ones beside RabbitMQ and PostgreSQL do
        return ""


def listening(process: psutil.Process) -> set[tuple[str, int, str]]:
    """Return the addresses and ports at which a process listens, each with the process's name.

    Left out is the UDP socket at some port by which Erlang asks the system for its network now and then.
    """
    try:
        name, found = process.name(), process.net_connections("inet")
    except psutil.Error:
        return set()
    states = (psutil.CONN_LISTEN, psutil.CONN_NONE)
    asks = [
        each for each in found if each.type == socket.SOCK_DGRAM and each.laddr and each.laddr.port >= 32768
    ]
    listens = [each for each in found if each.status in states and each.laddr and each not in asks]
    return {(each.laddr.ip, each.laddr.port, name) for each in listens}


def lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
