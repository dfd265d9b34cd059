"""The workflows name only what is here: make's targets, files, folders and commands."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from backstage.cli import main
from workshop.state_folder import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
COMMANDS = {name for section in main.sources for name in section.commands}
FILE = re.compile(r"[\w./-]+\.(sh|py|lock|toml|yml)|(tests|workshop|notebooks|docker)(/[\w.-]+)+")


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].values():
        yield from job.get("steps", [])


def unknown(script: str) -> list[str]:
    """Return what a step's commands name and what is not here."""
    words = shlex.split(script, comments=True)
    wrong = [word for word in words if FILE.fullmatch(word) and not (ROOT / word).exists()]
    for before, word in zip(words, words[1:], strict=False):
        if before == "make" and word not in TARGETS:
            wrong.append(f"make {word}")
        if before == "workshop" and word not in COMMANDS:
            wrong.append(f"workshop {word}")
    return wrong


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_names_what_is_here(path: Path) -> None:
    assert [name for step in steps(path) for name in unknown(step.get("run", ""))] == []
