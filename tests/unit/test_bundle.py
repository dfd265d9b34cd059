"""What `bundle.sh check` says of a folder before anything is installed from it."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workshop.state_folder import ROOT

pytestmark = pytest.mark.posix


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PYTHON": sys.executable, "PATH": "/usr/bin:/bin:/usr/local/bin"} | environment
    command = ["sh", str(ROOT / "scripts/bundle.sh"), *arguments]
    return subprocess.run(command, env=variables, capture_output=True, text=True)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """Return a small bundle for this machine."""
    folder = tmp_path / "the bundle"
    (folder / "packages").mkdir(parents=True)
    shutil.copy(ROOT / "requirements.lock", folder)
    here = run("check", str(about(folder, "nothing"))).stderr.partition("this is ")[2].partition(".\n")[0]
    return about(folder, here)


def about(folder: Path, machine: str) -> Path:
    """Write for which machine a bundle is."""
    (folder / "about.txt").write_text(f"{machine}\n\nmore\n", encoding="utf-8")
    return folder


def refused(folder: Path) -> str:
    done = run("check", str(folder))
    assert done.returncode == 1
    assert "\nNext: " in done.stderr
    return done.stderr


def test_a_bundle_for_this_machine_is_taken(bundle: Path) -> None:
    done = run("check", str(bundle))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert f"There is no folder {tmp_path / 'none'}." in refused(tmp_path / "none")


def test_a_bundle_that_was_not_finished(bundle: Path) -> None:
    (bundle / "requirements.lock").unlink()
    assert "is no finished bundle" in refused(bundle)


def test_a_bundle_of_another_version_of_the_course(bundle: Path) -> None:
    (bundle / "requirements.lock").write_text("celery==4.2\n", encoding="utf-8")
    assert "is for another version of this course" in refused(bundle)


def test_a_bundle_for_another_machine(bundle: Path) -> None:
    said = refused(about(bundle, "Darwin arm64 with CPython 3.12"))
    assert "is for Darwin arm64 with CPython 3.12, and this is " in said
    assert f"CPython {sys.version_info.major}.{sys.version_info.minor}." in said


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "packages").mkdir()
    done = run(BUNDLE=str(tmp_path))
    assert done.returncode == 1
    assert "is there already, and it is no bundle" in done.stderr
    assert (tmp_path / "packages").exists()
