"""The course in containers, from a copy of this folder, started as a person starts it."""

import json
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backstage.stack.site import HOST

ROOT = Path(__file__).resolve().parents[2]
ALWAYS = ("postgis", "rabbitmq", "worker", "flower", "lab")
_FOREIGN = ("COMPOSE_", "COURSE_", "WORKSHOP_", "WORKER_")


def missing() -> str:
    """Say why no containers can be started here; empty if they can."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        return "containers want the machine for themselves: python -m pytest tests/compose"
    if not shutil.which("docker"):
        return "there is no command docker here"
    for command in ("docker compose version", "docker info"):
        done = subprocess.run(command.split(), capture_output=True, text=True)
        if done.returncode:
            return f"`{command}` fails: {(done.stderr.strip() or done.stdout.strip()).splitlines()[-1]}"
    return ""


def copy_course(target: Path) -> None:
    """Copy all files that git knows or would take, saved or not, into a repository of their own."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).exists():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name, follow_symlinks=False)
    me = ("-c", "user.name=Ann", "-c", "user.email=ann@localhost", "-c", "commit.gpgsign=false")
    for command in (("init", "-b", "main"), ("add", "."), (*me, "commit", "-m", "The course")):
        subprocess.run(["git", *command], cwd=target, capture_output=True, check=True)


@dataclass
class Project:
    """One project of Docker Compose.

    Attributes
    ----------
    root : pathlib.Path
        The folder of the course.
    name : str
        The project's name, which its containers, volumes and networks have.
    owner : int
        Whose folder it is: the number of a user and of a group.
    ports : dict of str to int
        As what each port is published.
    seconds : float
        How long the start took.
    """

    root: Path
    name: str
    owner: int
    ports: dict[str, int]
    seconds: float = 0

    @property
    def environment(self) -> dict[str, str]:
        """The environment of this process, without what would change the containers."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_FOREIGN)}
        return kept | {"COMPOSE_PROJECT_NAME": self.name, "COMPOSE_PROGRESS": "plain"}

    def write_env(self) -> None:
        """Write ``.env`` as `.env.example` tells, with this folder's owner and free ports."""
        wanted = {f"{name.upper()}_PORT": str(port) for name, port in self.ports.items()}
        wanted |= {"COURSE_UID": str(self.owner), "COURSE_GID": str(self.owner)}
        lines = (self.root / ".env.example").read_text(encoding="utf-8").splitlines()
        pairs = [(line, line.partition("=")[0]) for line in lines]
        changed = [f"{key}={wanted.pop(key)}" if key in wanted else line for line, key in pairs]
        assert not wanted, f".env.example does not have {', '.join(wanted)}"
        (self.root / ".env").write_text("\n".join(changed) + "\n", encoding="utf-8")

    def run(self, *command: str, code: int | None = 0, timeout: float = 300, **environment: str) -> str:
        """Run a command in the course's folder and return what it prints."""
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        shown = f"{shlex.join(command)}\nended with {done.returncode}:\n{done.stdout}"
        assert code is None or done.returncode == code, shown
        return done.stdout

    def compose(self, *arguments: str, **options: Any) -> str:
        return self.run("docker", "compose", *arguments, **options)

    def exec(self, service: str, *command: str, **options: Any) -> str:
        return self.compose("exec", "-T", service, *command, **options)

    def python(self, code: str) -> str:
        """Run Python code in the lab's container."""
        return self.exec("lab", "python", "-c", code)

    def sql(self, statement: str) -> list[list[str]]:
        """Return the rows that PostGIS answers."""
        psql = ("psql", "--username=geopython", "--dbname=geopython-db", "--no-align", "--tuples-only")
        answer = self.exec("postgis", *psql, "--quiet", f"--command={statement}")
        return [line.split("|") for line in answer.splitlines()]

    def number(self, statement: str) -> int:
        return int(self.sql(statement)[0][0])

    def inspect(self, service: str = "") -> list[dict[str, Any]]:
        """Return what the engine says of each container, or of each one of a service."""
        ids = self.compose("ps", "--all", "--quiet", *filter(None, [service])).split()
        return json.loads(self.run("docker", "inspect", *ids)) if ids else []

    def health(self) -> dict[str, str]:
        """Return, for each container of the project by name, how its health check finds it."""
        lines = self.compose("ps", "--all", "--format", "json").splitlines()
        found = [json.loads(line) for line in lines if line.startswith("{")]
        return {each["Name"]: each["Health"] or each["State"] for each in found}

    def is_healthy(self, containers: int = len(ALWAYS)) -> bool:
        health = self.health()
        return len(health) == containers and set(health.values()) == {"healthy"}

    def left(self) -> dict[str, str]:
        """Return what the engine still has of the project."""
        mine = f"label=com.docker.compose.project={self.name}"
        kinds = {"container": ["--all"], "volume": [], "network": []}
        found = {
            kind: self.run("docker", kind, "ls", "--quiet", *options, "--filter", mine)
            for kind, options in kinds.items()
        }
        return {kind: ids for kind, ids in found.items() if ids}

    def foreign_files(self) -> list[str]:
        """Return the files in the course's folder that belong to someone else."""
        return [str(path) for path in self.root.rglob("*") if path.lstat().st_uid != self.owner]

    def url(self, path: str, name: str = "lab") -> str:
        return f"http://{HOST}:{self.ports[name]}{path}"
