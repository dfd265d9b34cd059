"""The course's files are the same on every system: their line ends, and names that Windows can hold."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from backstage.challenges import git
from backstage.challenges.files import Files, read_folder
from workshop.state_folder import ROOT

LONGEST = 120
"""Characters of a path in the course; Windows gives 260 to the whole."""
WINDOWS_REFUSES = re.compile(
    r'[<>:"\\|?*\x00-\x1f]|[. ](/|$)|(^|/)(con|prn|aux|nul|com\d|lpt\d)(\.|/|$)', re.IGNORECASE
)


def files() -> Files:
    """Return the files that git knows; without git, all."""
    if not git.is_used():
        return read_folder(ROOT)
    return {
        path: (ROOT / path).read_bytes() for path in git.names("ls-files", "-z") if (ROOT / path).is_file()
    }


def run(*command: str, folder: Path) -> None:
    none = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = subprocess.run(command, cwd=folder, env=os.environ | none, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def with_crlf(files: Files) -> list[str]:
    return [path for path, data in files.items() if b"\r\n" in data and b"\0" not in data]


def test_every_text_has_unix_line_ends() -> None:
    assert with_crlf(files()) == []


@pytest.mark.parametrize("autocrlf", ["true", "false"])
def test_git_for_windows_changes_no_line_end(tmp_path: Path, autocrlf: str) -> None:
    """A script with other line ends, mounted into a container, does not start."""
    chosen = (
        ".gitattributes",
        "scripts/setup.sh",
        "Makefile",
        "notebooks/images/workshop.png",
        "workshop/tasks.py",
    )
    original = {path: (ROOT / path).read_bytes() for path in chosen}
    for path, data in original.items():
        (tmp_path / "origin" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "origin" / path).write_bytes(data)
    author = ("-c", "user.name=Ann", "-c", "user.email=ann@localhost")
    run("git", "init", "--quiet", folder=tmp_path / "origin")
    run("git", "add", ".", folder=tmp_path / "origin")
    run("git", *author, "commit", "--quiet", "--message", "all", folder=tmp_path / "origin")
    ends = ("-c", f"core.autocrlf={autocrlf}", "-c", "core.eol=crlf")
    run("git", "clone", "--quiet", *ends, "origin", "clone", folder=tmp_path)
    assert {path: (tmp_path / "clone" / path).read_bytes() for path in chosen} == original


def test_windows_can_hold_every_name() -> None:
    names = list(files())
    assert [name for name in names if WINDOWS_REFUSES.search(name) or len(name) > LONGEST] == []
    assert [name for name, times in Counter(name.lower() for name in names).items() if times > 1] == []
