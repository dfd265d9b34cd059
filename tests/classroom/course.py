"""A course of one's own in a temporary folder: with git or without, and its command."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "workshop",
    "backstage",
    "notebooks",
    "tests/conftest.py",
    ".gitignore",
    "pyproject.toml",
    "README.md",
)
OWN = "my-work/challenge-"


def copy_parts(target: Path) -> Path:
    """Copy the marked source of the course."""
    caches = shutil.ignore_patterns("__pycache__", ".*", "challenge.json")
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, target / part, ignore=caches)
        else:
            shutil.copy(ROOT / part, target / part)
    return target


@dataclass
class Course:
    """A folder with the course, whose git has a configuration of its own."""

    root: Path
    config: dict[str, str] = field(
        default_factory=lambda: {"user.name": "Ann", "user.email": "ann@localhost"}
    )
    before: tuple[str, ...] = ()

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("GIT_", "WORKSHOP_"))}
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "EMAIL": ""}
        settings |= {"GIT_CONFIG_COUNT": str(len(self.config)), "HOME": str(self.root.parent)}
        for number, (key, value) in enumerate(self.config.items()):
            settings |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        state = self.root.parent / "state"
        return kept | settings | {"WORKSHOP_STATE": str(state)}

    def run(self, *command: str, code: int | None = 0) -> str:
        done = subprocess.run(
            (*self.before, *command),
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=480,
        )
        assert code in (None, done.returncode), done.stdout
        assert "Traceback (most recent" not in done.stdout, done.stdout
        return done.stdout

    def workshop(self, *arguments: str, code: int = 0) -> str:
        assert (self.root / "backstage").is_dir(), "without it, the course of this test run would be used"
        return self.run(sys.executable, "-B", "-m", "backstage", *arguments, code=code)

    def git(self, *arguments: str, code: int = 0) -> str:
        return self.run("git", *arguments, code=code).strip()

    def files(self) -> dict[str, tuple[bytes, bool]]:
        """Return all files but git's own and saved work: their content, and if they can be run."""
        found = {}
        for path in self.root.rglob("*"):
            name = path.relative_to(self.root).as_posix()
            if name.startswith((".git/", "my-work/")) or "__pycache__" in name:
                continue
            if path.is_symlink():
                found[name] = (os.fsencode(path.readlink()), False)
            elif path.is_file():
                found[name] = (path.read_bytes(), os.access(path, os.X_OK))
        return found

    def saved(self) -> list[str]:
        """Return the names of saved work: folders, and ZIP files."""
        return sorted(f"my-work/{path.name}" for path in (self.root / "my-work").glob("*"))

    def branches(self) -> list[str]:
        """Return the branches that keep commits."""
        return self.git("for-each-ref", "--format=%(refname:short)", "refs/heads/my-work").split()

    def state(self) -> object:
        """Return all that a command which refuses must leave alone."""
        if not (self.root / ".git").exists():
            return self.files()
        return self.files(), self.git("ls-files", "--stage"), self.git("for-each-ref")
