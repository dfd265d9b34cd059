"""The course as Binder runs it: built by postBuild, begun by start, below a path and with another token."""

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from playwright.sync_api import Browser, Page, expect

from backstage.stack.ports import is_free
from tests.chromium import browser as browser
from tests.chromium import frame, opened
from tests.classroom.course import ROOT, Course, copy_parts
from tests.conftest import wait_for

TOKEN = "binders-own"
FIRST = "notebooks/00-start-here.ipynb"


@dataclass
class Binder(Course):
    """A clone of the course that is its user's home too, as in Binder's images."""

    port: int = 0

    @property
    def environment(self) -> dict[str, str]:
        programs = f"{self.root.parent}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
        others = {
            name: value for name, value in super().environment.items() if not name.startswith("JUPYTER")
        }
        del others["WORKSHOP_STATE"]
        return others | {
            "PATH": programs,
            "PYTHONPATH": str(self.root),  # kernels run this clone, as if it were installed
            "HOME": str(self.root),
            "REPO_DIR": str(self.root),
            "NB_USER": "someone",
            "JUPYTERHUB_SERVICE_PREFIX": "/user/someone/",
            "BINDER_LAUNCH_HOST": "https://binder.example/",
            "WORKSHOP_PORTS": "any",
        }

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/user/someone"

    @contextmanager
    def started(self, **different: str) -> Iterator[None]:
        """Run Binder's command in the way of its images; end everything afterwards."""
        command = [
            ".binder/start", "jupyter-lab", "--ip=127.0.0.1", f"--port={self.port}",
            "--ServerApp.base_url=/user/someone/", f"--ServerApp.token={TOKEN}",
        ]  # fmt: skip
        with (self.root / ".jupyter-server-log.txt").open("wb") as log:
            server = psutil.Popen(
                command, cwd=self.root, env=self.environment | different, stdout=log, stderr=log
            )
        try:
            wait_for(lambda: not is_free(self.port), 60, "JupyterLab's answer")
            yield
        finally:
            self.workshop("down", "--purge")
            for process in [*server.children(recursive=True), server]:
                process.terminate()
            server.wait()

    def services(self) -> dict[str, str]:
        try:
            found = json.loads((self.root / ".workshop/stack.json").read_text())["services"]
        except FileNotFoundError:
            return {}
        return {name: service["state"] for name, service in found.items()}


@pytest.fixture(scope="module")
def binder(tmp_path_factory: pytest.TempPathFactory) -> Binder:
    course = Binder(copy_parts(tmp_path_factory.mktemp("binder") / "someone"), config={})
    shutil.copytree(ROOT / ".binder", course.root / ".binder")
    command = course.root.parent / "bin" / "workshop"  # as if this clone were installed
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m backstage "$@"\n')
    command.chmod(0o755)
    course.port = next(port for port in range(26500, 27000) if is_free(port))
    course.git("init", "--quiet", "--initial-branch=main")
    course.git("add", ".")
    author = ["-c", "user.name=Ann", "-c", "user.email=ann@localhost"]
    course.git(*author, "commit", "--quiet", "-m", "The course")
    course.git("checkout", "--quiet", "--detach")
    course.run(".binder/postBuild")
    return course


@pytest.fixture
def page(binder: Binder, browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with opened(browser, request) as page:
        yield page


def open_first(page: Page, binder: Binder) -> None:
    page.goto(f"{binder.url}/lab/tree/{FIRST}?token={TOKEN}")
    expect(page.get_by_role("heading", name="00 · Start here")).to_be_visible()


@pytest.mark.nightly
@pytest.mark.solved_course
def test_an_attendee_on_binder(binder: Binder, page: Page) -> None:
    with binder.started():
        open_first(page, binder)
        assert page.get_by_text("Make this Notebook Trusted").count() == 0
        wait_for(lambda: set(binder.services().values()) == {"ready"}, 90, "all services ready")
        assert list(binder.services()) == ["postgis", "rabbitmq", "flower", "worker1"]
        expect(frame(page, ".jp-ServerProxy iframe").locator("#title")).to_be_visible(timeout=240_000)

        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        expect(page.get_by_text("You are on Binder.")).to_be_visible()
        expect(page.get_by_text("Flower      /user/someone/flower/")).to_be_attached()
        expect(page.get_by_text("1 sent: 1 done, 0 failed").first).to_be_attached()

        page.goto(f"{binder.url}/flower/tasks")
        expect(page.get_by_text("workshop.tasks.do_task").first).to_be_visible()
        assert "2,500" in binder.workshop("demo")

        open_first(page, binder)
        assert "Saved first:    nothing" in binder.workshop("reset", "1", "--dry-run")
        assert "Next: open notebooks/01-enqueue.ipynb" in binder.workshop("reset", "1", "--yes")
        binder.workshop("save", code=3)
        (binder.root / "workshop/demo.py").write_bytes(b"# mine\r\n")
        archive = binder.workshop("save").removeprefix("Saved in ").strip()
        binder.workshop("reset", "1", "--yes")
        binder.workshop("restore", archive)
        assert (binder.root / "workshop/demo.py").read_bytes() == b"# mine\r\n"


def test_jupyterlab_opens_though_the_services_do_not_start(binder: Binder) -> None:
    with binder.started(WORKSHOP_PROCESSES="many"):
        with urlopen(f"{binder.url}/api/contents/{FIRST}?content=0&token={TOKEN}", timeout=60) as answer:
            assert json.load(answer)["path"] == FIRST
        why = "The last start failed: WORKSHOP_PROCESSES is 'many'. It must be a whole number"
        wait_for(lambda: why in binder.workshop("status", code=3), 60, "the reason")
