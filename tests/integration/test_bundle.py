"""`make bundle`, and a course that is set up from it: all packages of the lock, and no index to ask."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backstage.challenges.files import copy, course_names
from tests.integration.machine import ROOT

CLOSED = "http://127.0.0.1:9/"


def run(folder: Path, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WORKSHOP_", "UV_"))}
    env = kept | {"PYTHON": sys.executable} | changes
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=600)


@pytest.mark.nightly  # tests/setup/test_packages.py does the same with a few packages
def test_a_course_is_set_up_from_a_bundle_of_all_packages(tmp_path: Path) -> None:
    bundle, course = tmp_path / "the bundle", tmp_path / "the course"
    made = run(ROOT, "make", "bundle", BUNDLE=str(bundle))
    assert made.returncode == 0, made.stderr
    assert "The bundle is complete:" in made.stdout and "140 of " in made.stdout
    copy(course_names(ROOT), ROOT, course)
    nothing_yet = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    no_index = dict.fromkeys(("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "http_proxy", "https_proxy"), CLOSED)
    done = run(course, "sh", "scripts/setup.sh", OFFLINE=str(bundle), **nothing_yet, **no_index)
    assert done.returncode == 0, done.stderr
    shown = run(course, ".venv/bin/workshop", "status")
    assert shown.stderr.startswith("Error: The services are not running")
