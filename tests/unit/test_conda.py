"""environment.yml, and Binder's copy of it, say the same as pyproject.toml and requirements.lock."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from backstage.stack import binaries, rabbitmq
from backstage.stack.site import USUAL_PORTS, Site
from workshop import state_folder

ROOT = state_folder.ROOT
LINE = re.compile(r"^([a-z0-9][a-z0-9._-]*==[^\\\n]+?)(?: *\\)?$", re.MULTILINE)
LOCK, CONSTRAINTS = ROOT / "requirements.lock", ROOT / "constraints.txt"


@pytest.fixture
def environment() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "environment.yml").read_text())


def pip_lines(environment: dict[str, Any]) -> list[str]:
    return next(each["pip"] for each in environment["dependencies"] if isinstance(each, dict))


def test_everything_comes_from_conda_forge(environment: dict[str, Any]) -> None:
    assert environment["channels"] == ["conda-forge", "nodefaults"]
    assert not [each for each in environment["dependencies"] if "::" in str(each)]


def test_it_brings_the_servers_and_git(environment: dict[str, Any]) -> None:
    names = {re.split("[ =<>]", each)[0] for each in environment["dependencies"] if isinstance(each, str)}
    assert names == {"python", "postgresql", "postgis", "rabbitmq-server", "git", "pip"}


def test_binder_reads_one_version_of_python_that_the_course_allows(environment: dict[str, Any]) -> None:
    python = next(each for each in environment["dependencies"] if str(each).startswith("python"))
    version = re.fullmatch(r"python=(\d+)\.(\d+)", python)
    assert version, f"Binder takes another Python where it can't read {python!r}"
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["requires-python"] == ">=3.11"
    assert tuple(map(int, version.groups())) >= (3, 11)


def test_pip_brings_the_course_and_the_versions_of_the_lock(environment: dict[str, Any]) -> None:
    assert pip_lines(environment) == ["--constraint constraints.txt", "--editable ."]
    binders = yaml.safe_load((ROOT / ".binder" / "environment.yml").read_text())
    assert pip_lines(binders) == ["--constraint ../constraints.txt", "--editable .."]
    pip_lines(binders)[:] = pip_lines(environment)
    assert binders == environment
    held = LINE.findall(CONSTRAINTS.read_text())
    assert len(held) > 100
    assert held == LINE.findall(LOCK.read_text()), "Next: python -m tests.unit.test_conda"


def test_every_dependency_of_the_course_is_held() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {re.split(r"[\[<>=~]", each)[0].strip() for each in project["dependencies"]}
    held = {line.partition("==")[0] for line in LINE.findall(CONSTRAINTS.read_text())}
    assert wanted <= held


def test_a_conda_python_finds_its_servers_though_its_environment_is_not_active(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("conda-meta/history", "lib/rabbitmq/sbin/rabbitmq-server"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.delenv("CONDA_PREFIX", raising=False)
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    assert binaries.find("rabbitmq-server") == tmp_path / "lib/rabbitmq/sbin/rabbitmq-server"
    path = rabbitmq.environment(Site(tmp_path, USUAL_PORTS, ""))["PATH"]
    assert path.startswith(f"{tmp_path}/bin:"), "where its Erlang is"


def test_binder_sees_the_whole_course() -> None:
    """Binder leaves out what .dockerignore names: images of our own have theirs beside their Dockerfile."""
    assert not (ROOT / ".dockerignore").exists()


if __name__ == "__main__":  # makes constraints.txt anew
    remarks = [line for line in CONSTRAINTS.read_text().splitlines() if line.startswith("#")]
    CONSTRAINTS.write_text("\n".join([*remarks, *LINE.findall(LOCK.read_text())]) + "\n")
