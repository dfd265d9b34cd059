"""System packages: who may install them, and what a dead source of packages does."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.setup.course import add_program, make_course, make_programs, run
from workshop.state_folder import ROOT

APT = 'echo "$@" >> "$ASKED"'
DEAD = "E: The repository 'http://dead.example stable Release' does not have a Release file."


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return the programs of a machine where an ordinary user lacks one, and has no sudo."""
    programs = make_programs(tmp_path / "bin", id="echo 1000", python3=f'exec "{sys.executable}" "$@"')
    for name in ("chmod", "rm"):
        (programs / name).symlink_to(f"/bin/{name}")
    return programs


@pytest.mark.parametrize("apt", [True, False])
def test_without_rights_it_says_what_to_type(tmp_path: Path, programs: Path, apt: bool) -> None:
    asked = tmp_path / "asked"
    if apt:
        add_program(programs, "apt-get", APT)
    course = make_course(tmp_path / "course")
    done = run(course, "sh", "scripts/setup.sh", "no-such-program", path=programs, ASKED=str(asked))
    assert done.returncode == 1
    assert "Missing: no-such-program" in done.stdout
    assert "administrator types, in this folder: sh scripts/apt-install.sh no-such-program" in done.stderr
    assert "conda env create -f environment.yml" in done.stderr
    assert "docker compose up --build" in done.stderr
    assert not asked.exists() and not (course / ".venv").exists()


def install(tmp_path: Path, programs: Path, apt: str) -> subprocess.CompletedProcess[str]:
    """Run ``apt-install.sh`` with another ``apt-get``, and without touching this machine's folders."""
    add_program(
        programs, "apt-get", f'{APT}\ncase "$*" in *update*) echo "{DEAD}" >&2; exit 100 ;; esac\n{apt}'
    )
    script = (ROOT / "scripts/apt-install.sh").read_text(encoding="utf-8")
    (tmp_path / "install.sh").write_text(script.replace("/usr/sbin/", f"{tmp_path}/"), encoding="utf-8")
    return run(tmp_path, "sh", "install.sh", "one", path=programs, ASKED=str(tmp_path / "asked"))


def test_a_dead_source_does_not_keep_the_others_from_serving(tmp_path: Path, programs: Path) -> None:
    done = install(tmp_path, programs, "exit 0")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text().rstrip().endswith("--no-install-recommends one")
    assert not (tmp_path / "policy-rc.d").exists()


def test_a_dead_source_is_named_if_the_packages_do_not_come(tmp_path: Path, programs: Path) -> None:
    done = install(tmp_path, programs, "exit 100")
    assert done.returncode == 1
    assert f"{DEAD}\nNext: mend or remove these sources in /etc/apt/sources.list" in done.stderr
