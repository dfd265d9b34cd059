"""An attendee for tests: a kernel that runs cells, an editor for ``tasks.py``, and services of their own."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager, start_new_kernel

from tests.conftest import wait_for
from tests.integration.machine import CORE, ROOT, Machine, copy_course
from workshop.delivery.asking import ask

TASKS = 40

EMPTY = """
from workshop import settings
from backstage.classroom import clearing
from backstage.stack import control
with settings.changed(workers=0):
    control.settle()
    clearing.clear(clearing.own())
control.settle()
"""

SHOW = """
import json
from backstage.challenges import challenge_{number}
verdict = challenge_{number}.check({arguments})
said = [verdict.code, verdict.kind, verdict.text, verdict.notes, verdict.numbers]
print(json.dumps(said, default=lambda value: value.item() if hasattr(value, "item") else str(value)))
"""


@dataclass
class Seen:
    """What a check said."""

    code: str
    kind: str
    text: str
    notes: list[str]
    numbers: dict[str, Any]


@dataclass
class Attendee:
    """A person with a copy of the course, its services, and a notebook's kernel.

    Points, tasks and waiting are few and short by settings; all else is as in the course.
    """

    machine: Machine
    kernel: tuple[KernelManager, BlockingKernelClient] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    def start_kernel(self, notebook: str) -> None:
        """Start the kernel of a notebook, as JupyterLab does."""
        self.stop_kernel()
        environment = self.machine.environment | self.environment | {"JPY_SESSION_NAME": f"{notebook}.ipynb"}
        environment |= {"PYTHONPATH": str(self.machine.course)}
        self.kernel = start_new_kernel(cwd=str(self.machine.course / "notebooks"), env=environment)

    def stop_kernel(self) -> None:
        """End the kernel."""
        if self.kernel:
            manager, client = self.kernel
            client.stop_channels()
            manager.shutdown_kernel(now=True)
            self.kernel = None

    def run(self, code: str, may_fail: bool = False) -> str:
        """Run a cell and return what it prints; an error is one unless it may be."""
        assert self.kernel
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            printed.append(content.get("text") or content.get("data", {}).get("text/plain", ""))

        reply = self.kernel[1].execute_interactive(code, timeout=480, output_hook=hear, store_history=True)
        if reply["content"]["status"] == "error" and not may_fail:
            raise AssertionError("\n".join(reply["content"]["traceback"]))
        return "".join(printed)

    def check(self, number: int, arguments: str = "") -> Seen:
        """Run a check in the notebook."""
        shown = self.run(SHOW.format(number=number, arguments=arguments))
        return Seen(*json.loads(shown.strip().splitlines()[-1]))

    def start_afresh(self) -> None:
        """Forget what was sent, as a reset does."""
        (self.machine.state / "published.jsonl").unlink(missing_ok=True)
        self.machine.sql("DELETE FROM geopython.grid_squares WHERE worker = 'direct'")

    def empty(self) -> None:
        """Take away what earlier tests left, also what a worker holds until it is due, as a reset does."""
        done = self.machine.python(EMPTY)
        assert done.returncode == 0, done.stderr

    def take(self, answer: str) -> None:
        """Save ``tasks.py``, which nobody watches, and let the worker take it as it is."""
        (self.machine.course / "workshop" / "tasks.py").write_text(answer)
        worker = psutil.Process(self.machine.service("worker1")["pid"])
        before = worker.children()
        assert ask(self.machine.stack()["broker_url"], "take_saved", timeout=20, limit=1)
        wait_for(
            lambda: len(set(worker.children()) - set(before)) == len(before), what="the pool's new processes"
        )

    def original(self, name: str) -> str:
        """Return a file of the course as it is in this repository."""
        return (ROOT / "workshop" / name).read_text()

    def save(self, name: str, text: str) -> None:
        """Save a file of the course in the editor, and wait until the worker runs it."""
        path = self.machine.course / "workshop" / name
        before = self.machine.service("worker1")["pid"]
        if path.read_text() == text:
            return
        path.write_text(text)
        self.machine.until_again("worker1", before)


def settle_in(folder: Path) -> Machine:
    """Return a machine with a copy of the course, whose worker can `swap` its tasks, not started yet."""
    course = copy_course(folder / "course")
    shutil.copy(Path(__file__).with_name("swap.py"), course / "workshop" / "delivery")
    with (course / "workshop" / "delivery" / "configuration.py").open("a") as configuration:
        configuration.write('imports.append("workshop.delivery.swap")\n')
    shutil.copytree(ROOT / "notebooks", course / "notebooks", ignore=shutil.ignore_patterns(".*"))
    return Machine(folder / "state", course)


ENVIRONMENT = {
    "WORKSHOP_TASKS": str(TASKS),
    "WORKSHOP_HASTE": "20",
    "WORKSHOP_SEED": "1",
    "WORKSHOP_FAULT_RATE": "0",
}


def attend(folder: Path, *services: str) -> Attendee:
    """Return an attendee whose services run: database, broker, worker, and those named."""
    machine = settle_in(folder)
    attendee = Attendee(machine, environment=ENVIRONMENT)
    try:
        machine.workshop("up", "--detach", *CORE, *services, **attendee.environment)
    except BaseException:
        leave(attendee)
        raise
    return attendee


@contextmanager
def opened(attendee: Attendee, notebook: str, setup: str) -> Iterator[Attendee]:
    """Open a notebook and run its first cell, with nothing sent before; at the end undo what it changed."""
    attendee.start_afresh()
    try:
        attendee.start_kernel(notebook)
        attendee.run(setup)
        yield attendee
    finally:
        attendee.stop_kernel()
        (attendee.machine.state / "settings.json").unlink(missing_ok=True)


def leave(attendee: Attendee) -> None:
    """Stop everything."""
    attendee.stop_kernel()
    attendee.machine.workshop("down", "--purge")
