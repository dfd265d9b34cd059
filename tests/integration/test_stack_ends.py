"""However the stack is ended, nothing of it keeps running, and what it held is kept."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from kombu import Queue
from ptyprocess import PtyProcess

from tests.conftest import wait_for
from tests.integration.machine import Machine, command_line, lives
from workshop.state_folder import MARK

NOTE = "kept"


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path / "the state")
    yield machine
    machine.workshop("down", "--purge")
    machine.until_gone(set(), 5)


def in_terminal(machine: Machine, *arguments: str) -> PtyProcess:
    command = [sys.executable, "-m", "backstage", "up", *arguments]
    return PtyProcess.spawn(command, env=machine.environment, cwd=str(machine.course))


def read_until(terminal: PtyProcess, text: str) -> str:
    """Read what a terminal shows until a text comes, or the program ends."""
    shown = ""
    while text not in shown:
        try:
            shown += terminal.read().decode()
        except EOFError:
            break
    return shown


def start_kernel(machine: Machine) -> None:
    token = json.loads((machine.state / "token.json").read_text())["token"]
    address = f"http://127.0.0.1:{machine.stack()['ports']['lab']}/api/kernels?token={token}"
    request = urllib.request.Request(address, data=b'{"name": "python3"}', method="POST")
    urllib.request.urlopen(request, timeout=120).close()
    wait_for(
        lambda: any("ipykernel_launcher" in command_line(each) for each in machine.processes()),
        20,
        "a kernel",
    )


def test_down_keeps_everything_and_a_killed_supervisor_leaves_nothing(machine: Machine) -> None:
    machine.workshop("up", "--detach", "rabbitmq")
    before = machine.service("rabbitmq")["pid"]
    shown = machine.workshop("up", "rabbitmq", "postgis")
    assert "running already. Started beside them: postgis.\nRabbitMQ" in shown
    assert machine.service("rabbitmq")["pid"] == before
    machine.sql("CREATE TABLE notes (note text)")
    machine.sql("INSERT INTO notes VALUES (%s)", NOTE)
    with machine.amqp() as broker:
        queue = Queue(NOTE, durable=True)(broker.default_channel)
        queue.declare()
        broker.Producer(queue.channel).publish(NOTE, routing_key=NOTE, delivery_mode=2)
    processes = machine.processes()
    psutil.Process(machine.stack()["pid"]).suspend()  # as one that was left with Ctrl-Z
    assert "All services are stopped" in machine.workshop("down", timeout=240)
    machine.until_gone(processes, 2)
    assert "not running" in machine.workshop("status", code=3)
    assert machine.workshop("doctor", code=3).splitlines()[-1] == (
        "NOT READY: The services of this course are not running. Next: make lab, or workshop up"
    )

    machine.workshop("up", "--detach")
    with machine.amqp() as broker:
        assert Queue(NOTE, durable=True)(broker.default_channel).get(no_ack=True).payload == NOTE
    start_kernel(machine)
    processes = machine.processes()
    os.kill(machine.stack()["pid"], signal.SIGKILL)
    if psutil.LINUX:
        machine.until_gone(processes, 40)

    assert "READY" in machine.workshop("up", "--detach", "postgis")
    assert machine.sql("SELECT note FROM notes") == [(NOTE,)]
    processes |= machine.processes()
    assert "Removed" in machine.workshop("down", "--purge")
    machine.until_gone(processes, 5)
    left = {path.name for path in machine.state.glob("*")}
    assert left <= {"course", "lock", MARK}, "a fresh copy stays where git is not in use"


def test_leftovers_of_a_killed_supervisor_end_at_the_next_start(machine: Machine) -> None:
    """Where the kernel ends nothing by itself, as on macOS."""
    as_on_macos = "from backstage.stack import process; process._SETPRIV = None"
    up = f"{as_on_macos}; from backstage.cli import main; main(['up', 'lab'])"
    supervisor = subprocess.Popen([sys.executable, "-c", up], env=machine.environment, cwd=machine.course)
    wait_for(lambda: (machine.state / "stack.json").exists(), 30, "a stack")
    wait_for(lambda: machine.service("lab")["state"] == "ready", 60, "JupyterLab")
    processes = machine.processes()
    services = {psutil.Process(service["pid"]) for service in machine.stack()["services"].values()}
    supervisor.kill()
    supervisor.wait()
    psutil.wait_procs(services, timeout=1)
    assert all(map(lives, services))
    shown = machine.workshop("up", "--detach", "lab")
    assert "Ending lab" in shown
    assert "READY" in shown
    assert not any(map(lives, processes))


def test_ctrl_c_ends_everything(machine: Machine) -> None:
    terminal = in_terminal(machine, "postgis")
    assert "Ctrl-C stops everything" in read_until(terminal, "Ctrl-C stops everything")
    processes = machine.processes()
    terminal.write(b"\x03")
    assert "Stopping" in read_until(terminal, "Stopping")
    terminal.write(b"\x03")
    read_until(terminal, "the end")
    machine.until_gone(processes, 5)
    assert terminal.wait() == 0


def test_a_closed_terminal_ends_everything_even_while_it_starts(machine: Machine) -> None:
    terminal = in_terminal(machine, "postgis", "rabbitmq")
    read_until(terminal, "postgis    ready")
    processes = machine.processes()
    os.close(terminal.fd)
    machine.until_gone(processes, 20)
    terminal.closed = True


def test_down_ends_a_start_that_is_under_way(machine: Machine) -> None:
    starting = machine.popen("up", "--detach", "postgis", "rabbitmq", "worker")
    wait_for((machine.state / "stack.json").exists, 20, "the start")
    processes = machine.processes()
    assert "All services are stopped" in machine.workshop("down")
    shown, _ = starting.communicate(timeout=80)
    assert starting.returncode == 3
    assert "stopped before everything was ready" in shown
    machine.until_gone(processes, 2)
