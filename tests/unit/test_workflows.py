"""The workflows name only what is here: make's targets, files, folders and commands; none may do too much."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from workshop.cli import main
from workshop.machine import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
FILE = re.compile(r"[\w./-]+\.(sh|py|lock|toml|yml)|(tests|workshop|notebooks|docker)(/[\w.-]+)+")


def load(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return load(path)["jobs"]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in jobs(path).values():
        yield from job.get("steps", [])


def unknown(script: str) -> list[str]:
    """Return what a step's commands name and what is not here."""
    words = shlex.split(script, comments=True)
    wrong = [word for word in words if FILE.fullmatch(word) and not (ROOT / word).exists()]
    for before, word in zip(words, words[1:], strict=False):
        if before == "make" and word not in TARGETS:
            wrong.append(f"make {word}")
        if before == "workshop" and word not in main.commands:
            wrong.append(f"workshop {word}")
    return wrong


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_every_command_names_what_is_here(path: Path) -> None:
    assert [name for step in steps(path) for name in unknown(step.get("run", ""))] == []


@pytest.mark.parametrize(
    ("script", "wrong"),
    [
        ("make tests", ["make tests"]),
        ("make lab", []),
        ("workshop branch --push origin", ["workshop branch"]),
        ("pip install -r requirements.txt.lock && sh setup.sh", ["requirements.txt.lock"]),
        ("python -m pytest tests/units", ["tests/units"]),
    ],
)
def test_what_is_not_here_is_found(script: str, wrong: list[str]) -> None:
    assert unknown(script) == wrong


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_read_and_a_job_only_what_it_needs(path: Path) -> None:
    assert load(path)["permissions"] == {"contents": "read"}
    may_write = {"branches", "push", "propose", "report"}
    for name, job in jobs(path).items():
        assert name in may_write or "permissions" not in job, name
        assert "uses" in job or job["timeout-minutes"] <= 60, name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_have_a_version_and_keep_no_password_without_need(path: Path) -> None:
    for step in steps(path):
        action = step.get("uses", "actions/none@v1")
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action), action
        if action.startswith("actions/checkout@"):
            assert "persist-credentials" in step["with"]


def test_the_branches_are_made_only_when_all_else_is_green() -> None:
    ci = jobs(GITHUB / "workflows" / "ci.yml")
    called = ci.pop("branches")
    assert called["needs"] == list(ci)
    assert (ROOT / called["uses"]).exists()


def test_dependabot_looks_where_something_is() -> None:
    for update in load(GITHUB / "dependabot.yml")["updates"]:
        assert (ROOT / update["directory"].strip("/")).is_dir()
