"""`make bundle`, and `make lab OFFLINE=...` on a machine that reaches nothing but itself."""

import os
import select
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from backstage.challenges.files import copy, course_names
from tests.integration import offline
from tests.integration.machine import ROOT

pytestmark = pytest.mark.nightly  # tests/setup/test_packages.py does the same with a few packages

LOOPBACK = "import fcntl, socket; fcntl.ioctl(socket.socket(), 0x8914, b'lo'.ljust(16, b'\\0') + b'\\1\\0')"
"""Turns on the one interface of a new network namespace, 127.0.0.1."""

ME = (f"--map-user={os.getuid()}", f"--map-group={os.getgid()}")
WAYS = (
    ("unshare --net sh -c", 'exec "$@"'),
    ("unshare --user --map-root-user --net sh -c", f'exec unshare --user {" ".join(ME)} -- "$@"'),
)
"""For root, and for other users, who are root in a namespace until the interface is on."""


def cut_off() -> list[str]:
    """Return what goes before a command so that it has no network; nothing where the machine forbids that."""
    for command, then in WAYS:
        words = [*command.split(), f'"$0" -c "{LOOPBACK}" && {then}', sys.executable]
        if shutil.which("unshare") and subprocess.run([*words, "true"], capture_output=True).returncode == 0:
            return words
    return []


@contextmanager
def nobody_asks_for_the_network() -> Iterator[dict[str, str]]:
    """Give variables that send all who want the network to one place; fail if someone came there.

    It holds where the network could not be cut, too.
    """
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
        yield dict.fromkeys(names, address) | dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
        assert not select.select([proxy], [], [], 0)[0], "someone asked for the network"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stick") / "the bundle"
    made = subprocess.run(
        ["make", "bundle", f"PYTHON={sys.executable}"],
        cwd=ROOT,
        env=os.environ | {"BUNDLE": str(folder)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert made.returncode == 0, made.stderr
    assert "The bundle is complete:" in made.stdout
    assert "140 of " in made.stdout
    return folder


@pytest.fixture
def course(tmp_path: Path) -> Path:
    copy(course_names(ROOT), ROOT, tmp_path / "the course")
    return tmp_path / "the course"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Return variables of somebody who has no package yet, and whose settings name indexes to ask."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKSHOP_", "UV_"))}
    home = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    index = "http://127.0.0.1:9/"
    return kept | home | {"WORKSHOP_PORTS": "any", "PIP_INDEX_URL": index, "UV_DEFAULT_INDEX": index}


@pytest.mark.nightly
def test_a_machine_without_network_is_set_up_from_the_bundle(
    bundle: Path, course: Path, environment: dict[str, str]
) -> None:
    try:
        with nobody_asks_for_the_network() as proxies:
            done = subprocess.run(
                [*cut_off(), sys.executable, offline.__file__, str(course), str(bundle)],
                env=environment | proxies,
                capture_output=True,
                text=True,
                timeout=600,
            )
        assert done.returncode == 0, done.stdout + done.stderr
        assert "The page says: JupyterLab" in done.stdout
        assert "1 sent: 1 done, 0 failed" in done.stdout
        assert "Stopping ..." in done.stdout
        status = subprocess.run(
            [".venv/bin/workshop", "status"], cwd=course, env=environment, capture_output=True
        )
        assert b"The services are not running" in status.stderr
    finally:
        if (course / ".venv/complete").exists():
            subprocess.run([".venv/bin/workshop", "down", "--purge"], cwd=course, env=environment)
