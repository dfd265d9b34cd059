"""One start of all containers, which all tests here share, and its end."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from backstage.stack.containers import HOSTS
from backstage.stack.ports import free_ports
from tests.compose.project import Project, copy_course, missing

LAST = "test_readme.py"
OWNER = 1234


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run what stops and removes everything after all that uses it."""
    items.sort(key=lambda item: item.path == Path(__file__).with_name(LAST))


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """Build and start the containers from a copy of the course; in the end remove everything."""
    if reason := missing():
        pytest.skip(reason)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKSHOP_PORTS", "any")
        chosen = free_ports()
        ports = {name: chosen[name] for name in HOSTS}
        root = tmp_path_factory.mktemp("compose") / "the course"
        copy_course(root)
        owner = OWNER if os.geteuid() == 0 else os.geteuid()
        project = Project(root, f"course-test-{os.getpid()}", owner, ports)
        project.write_env()
        if owner != os.geteuid():
            for path in (root, *root.rglob("*")):
                os.lchown(path, owner, owner)
        try:
            began = time.monotonic()
            project.compose("up", "--build", "--detach", "--wait", timeout=1800)
            project.seconds = time.monotonic() - began
            yield project
        finally:
            project.compose("--profile", "test", "down", "--volumes", "--remove-orphans", "--timeout=20")
            assert project.left() == {}
        assert project.foreign_files() == []
