"""The files that Binder and Codespaces read say what is true of this course."""

import json
import os
import re
import subprocess
from typing import Any

import pytest
import yaml

from backstage.stack.plan import NAMES
from workshop import state_folder

ROOT = state_folder.ROOT


@pytest.fixture
def devcontainer() -> dict[str, Any]:
    text = (ROOT / ".devcontainer/devcontainer.json").read_text()
    return json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))


@pytest.mark.parametrize("name", ["start", "postBuild"])
def test_binder_can_run_its_scripts(name: str) -> None:
    script = ROOT / ".binder" / name
    assert script.read_bytes().startswith(b"#!/bin/sh\n")
    assert b"\r" not in script.read_bytes()
    assert os.access(script, os.X_OK)
    assert subprocess.run(["sh", "-n", script]).returncode == 0


def test_a_codespace_runs_the_five_parts_of_the_compose_file(devcontainer: dict[str, Any]) -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    parts = {devcontainer["service"], *devcontainer["runServices"]}
    assert parts == set(NAMES) <= set(services)
    lab = services[devcontainer["service"]]
    assert lab["init"]
    assert devcontainer["postStartCommand"].startswith(f"setsid --fork {lab['command']} "), "init adopts it"
    assert f".:{devcontainer['workspaceFolder']}:z" in lab["volumes"]
