"""The files that make the containers keep their promises; no engine is needed to see that."""

import re
import shutil
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from workshop.state_folder import ROOT

COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILES = sorted((ROOT / "docker").glob("*Dockerfile"))
PORT = re.compile(r"127\.0\.0\.1:\$\{([A-Z]+_PORT):-(\d+)\}:(\d+)")
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")


def example() -> dict[str, str]:
    """Return what `.env.example` sets."""
    lines = (ROOT / ".env.example").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_has_no_way_out_of_its_container(name: str) -> None:
    service = SERVICES[name]
    ways = {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode", "security_opt"}
    assert not service.keys() & ways
    assert "docker.sock" not in str(service.get("volumes"))


def test_ports_are_on_this_computer_and_can_be_chosen() -> None:
    chosen = {}
    for service in SERVICES.values():
        for port in service.get("ports", []):
            found = PORT.fullmatch(port)
            assert found, f"{port} is not 127.0.0.1:${{NAME_PORT:-number}}:number"
            name, usual, inside = found.groups()
            assert usual == inside
            chosen[name] = usual
    assert chosen == {name: value for name, value in example().items() if name.endswith("_PORT")}


def test_each_variable_is_in_the_example_with_the_same_value() -> None:
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    assert "${" not in VARIABLE.sub("", text)
    assert {(name, value) for name, value in VARIABLE.findall(text)} == set(example().items())


def test_each_variable_of_a_build_is_in_the_example() -> None:
    documented = re.findall(r"^# (\w+)=$", (ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    for service in SERVICES.values():
        arguments = service.get("build", {}).get("args", {})
        assert {name for name, value in arguments.items() if value is None} <= set(documented)


def test_engines_without_a_start_interval_will_do() -> None:
    checks = [service["healthcheck"] for service in SERVICES.values() if "healthcheck" in service]
    assert checks
    assert not [check for check in checks if "start_interval" in check]  # it needs engine 25


def test_images_have_a_version() -> None:
    foreign = [service["image"] for service in SERVICES.values() if "build" not in service]
    for path in DOCKERFILES:
        text = path.read_text(encoding="utf-8")
        given = dict(re.findall(r"^ARG (\w+)=(\S+)", text, re.MULTILINE))
        stages = re.findall(r"^FROM \S+ AS (\w+)", text, re.MULTILINE)
        sources = re.findall(r"^FROM (\S+)", text, re.MULTILINE)
        foreign += [Template(source).substitute(given) for source in sources if source not in stages]
    assert len(foreign) == 3
    for image in foreign:
        assert re.fullmatch(r"[\w/]+:\d[\w.-]*", image), f"{image} has no version of its own"


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_what_a_build_copies_is_sent_to_it(path: Path) -> None:
    ignored = path.with_name(f"{path.name}.dockerignore").read_text(encoding="utf-8")
    sent = [line[1:] for line in ignored.splitlines() if line.startswith("!")]
    copies = re.findall(r"^COPY (?!--from)(.+) \S+$", path.read_text(encoding="utf-8"), re.MULTILINE)
    sources = " ".join(copies).split()
    assert sources
    for source in sources:
        assert (ROOT / source).exists()
        files = [source] if (ROOT / source).is_file() else [f"{source}README.md"]
        assert all(any(fnmatch(file, pattern) for pattern in sent) for file in files), source


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_hadolint_finds_nothing(path: Path) -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent)) or shutil.which("hadolint")
    assert program, "hadolint is not installed. Next: sh scripts/setup.sh"
    command = [program, "--no-color", "--failure-threshold=warning", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
