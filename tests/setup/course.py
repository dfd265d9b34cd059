"""A small copy of the course, to run the real ``setup.sh`` in: its lock has what the set-up itself needs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from workshop.state_folder import ROOT

NEEDED = ("uv", "hatchling", "editables", "packaging", "pathspec", "pluggy", "tomlkit", "trove-classifiers")
TOOLS = ("cat", "cmp", "dirname", "env", "grep", "head", "id", "mkdir", "sed", "sh", "tail", "tr")


def make_course(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    for room in ("workshop", "backstage", "scripts"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    locked = re.split(
        r"^(?=[a-z])", (ROOT / "requirements.lock").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    few = [each for each in locked if each.partition("==")[0] in NEEDED]
    (folder / "requirements.lock").write_text("".join(few), encoding="utf-8")
    return folder


def run(
    course: Path, *command: str, path: Path | None = None, **changes: str
) -> subprocess.CompletedProcess[str]:
    """Run a command in a course, else the set-up; only the programs in `path` are there, if given."""
    of_this_run = ("WORKSHOP_", "PYTHON", "OFFLINE", "MAKE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(of_this_run)}
    return subprocess.run(
        command or ("sh", "scripts/setup.sh"),
        cwd=course,
        env=kept | ({"PATH": str(path)} if path else {"PYTHON": sys.executable}) | changes,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=300,
    )


def make_programs(folder: Path, **scripts: str) -> Path:
    """Return a folder with the few tools of every machine, and with programs of a test's own."""
    folder.mkdir()
    for name in TOOLS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    for name, script in scripts.items():
        add_program(folder, name, script)
    return folder


def add_program(folder: Path, name: str, script: str) -> None:
    (folder / name).unlink(missing_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def sources(packages: Iterable[Path], folder: Path) -> Path:
    """Make a package index out of files, as a network's own mirror serves it."""
    for package in packages:
        project = folder / package.name.partition("-")[0].replace("_", "-").lower()
        project.mkdir(parents=True, exist_ok=True)
        shutil.copy(package, project)
    return folder
