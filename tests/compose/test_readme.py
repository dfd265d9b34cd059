"""Each command of Docker Compose that the README names does what it says, in the order of the README."""

import re
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from tests.compose.project import ALWAYS, ROOT, Project
from tests.conftest import wait_for

pytestmark = pytest.mark.solved_course

HEADING = "\n## With Docker Compose\n"
_FENCE = re.compile(r"^ *```sh\n(.*?)^ *```", re.MULTILINE | re.DOTALL)

SAYS = {
    "docker compose ps": "(healthy)",
    "docker compose exec worker python -m workshop.demo": "called do_task 2500 times",
    "docker compose exec lab workshop status": "the code as saved",
    "docker compose logs worker": "worker1    ready",
}
"""What a command shows."""


def commands() -> list[str]:
    """Return the README's lines that begin with ``docker compose``; those that remove everything last."""
    section = (ROOT / "README.md").read_text(encoding="utf-8").partition(HEADING)[2].partition("\n## ")[0]
    lines = "".join(_FENCE.findall(section)).splitlines()
    found = [shlex.join(shlex.split(line, comments=True)) for line in lines]
    wanted = dict.fromkeys(line for line in found if line.startswith("docker compose "))
    return sorted(wanted, key=lambda line: (" down" in line, "--volumes" in line or "-v" in line.split()))


def test_the_readme_has_commands() -> None:
    assert {line.split()[2] for line in commands()} >= {"up", "ps", "exec", "logs", "restart", "down", "run"}


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme(line: str, project: Project, tmp_path: Path) -> None:
    words = line.split()
    action = words[2]
    if action not in ("up", "down", "run") and not project.is_healthy():
        project.compose("up", "--detach", "--wait", "--scale", "worker=1")
    if action == "up" and "--detach" not in words:
        project.compose("stop")  # what runs already has nothing new to say
        in_the_foreground(project, words, tmp_path / "said")
    elif "--follow" in words:
        in_the_foreground(project, words, tmp_path / "said")
    elif action == "run":
        in_the_image_of_the_tests(project, words)
    else:
        said = project.run(*shlex.split(line))
        assert SAYS.get(line, "") in said
    if "worker=3" in words:
        wait_for(lambda: project.is_healthy(len(ALWAYS) + 2), 180, "three workers")
    elif "restart" in words or "--wait" in words:
        wait_for(project.is_healthy, 180, "health of all containers")
    elif action == "down":
        left = {"volume"} if words[-1] == "down" else set()
        assert project.left().keys() == left


def in_the_foreground(project: Project, words: list[str], output: Path) -> None:
    """Run a command until it has shown that all runs, then end it with Ctrl-C."""
    with output.open("wb") as file:
        process = subprocess.Popen(
            words, cwd=project.root, env=project.environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        wait_for(lambda: "worker1    ready" in output.read_text(), 300, "what the containers say")
        wait_for(project.is_healthy, 300, "health of all containers")
        assert process.poll() is None, output.read_text()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=90) in (0, 130), output.read_text()
    finally:
        process.kill()
    assert "Traceback" not in output.read_text()
    assert project.is_healthy() == (words[2] == "logs")


def in_the_image_of_the_tests(project: Project, words: list[str]) -> None:
    """Run a few of the tests there; all of them take long, and are the same everywhere."""
    few = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit/test_grid.py")
    assert " passed" in project.run(*words, *few, timeout=1800)
