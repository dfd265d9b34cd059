"""Real set-ups of a small course: from a bundle, from a network's own index, and again after a copy."""

import http.server
import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.setup.course import make_course, run, sources

CLOSED = "http://127.0.0.1:9"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what ``make bundle`` brings for a small course. Only this asks the network for packages."""
    folder = tmp_path_factory.mktemp("stick") / "the bundle"
    made = run(
        make_course(folder.with_name("course")), "sh", "scripts/bundle.sh", BUNDLE=str(folder), PIP_USER="1"
    )
    assert made.returncode == 0, made.stderr
    assert "The bundle is complete:" in made.stdout
    return folder


@pytest.fixture(scope="module")
def index(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve the bundle's packages as an index; return its address."""
    folder = sources((bundle / "packages").iterdir(), tmp_path_factory.mktemp("index"))
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return make_course(tmp_path / "the course")


def settings(folder: Path, index: str) -> dict[str, str]:
    """Return variables of a network that reaches its own index only, which pip's settings name."""
    pip = folder / "pip.conf"
    pip.write_text(f"[global]\nindex-url = {index}\n[install]\nuser = true\n", encoding="utf-8")
    proxies = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), CLOSED)
    return proxies | {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1", "PIP_CONFIG_FILE": str(pip)}


def another_project(folder: Path) -> dict[str, str]:
    """Return variables that another project set for pip, uv and Python, and a home that can't be written."""
    (folder / "ctypes").mkdir()
    (folder / "ctypes" / "__init__.py").write_text("raise SystemExit('another project')", encoding="utf-8")
    return {
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": "/dev/null/cache",
        "PYTHONPATH": str(folder),
        "PYTHONHOME": str(folder),
        "PYTHONNOUSERSITE": "",
        "VIRTUAL_ENV": str(folder),
        "PIP_USER": "1",
        "PIP_TARGET": str(folder),
        "PIP_CONSTRAINT": "/nowhere/constraints.txt",
        "UV_PYTHON": "/nowhere/python",
        "UV_TARGET": str(folder),
        "UV_SYSTEM_PYTHON": "1",
        "UV_CONSTRAINT": "/nowhere/constraints.txt",
    }


def belongs_to(course: Path) -> None:
    """Fail unless a set-up's programs are those of this folder, wherever it is."""
    script = (course / ".venv/bin/workshop").read_text(encoding="utf-8")
    assert str(course / ".venv/bin/python") in script
    find = "import importlib.util as u; print(u.find_spec('workshop').origin)"
    found = run(course / ".venv", str(course / ".venv/bin/python"), "-c", find).stdout
    assert found == f"{course / 'workshop/__init__.py'}\n"


def test_a_bundle_that_was_damaged_and_then_copied_again(bundle: Path, course: Path, tmp_path: Path) -> None:
    stick = Path(shutil.copytree(bundle, tmp_path / "stick"))
    package = next(stick.glob("packages/pathspec-*"))
    package.write_bytes(package.read_bytes() + b"damage")
    offline = {
        "OFFLINE": str(stick),
        "PIP_INDEX_URL": CLOSED,
        "UV_DEFAULT_INDEX": CLOSED,
        "https_proxy": CLOSED,
    }
    done = run(course, **offline)
    assert done.returncode == 1
    assert "pathspec" in done.stderr
    assert f"The bundle {stick} is damaged, or lacks what this machine needs.\nNext: copy" in done.stderr

    shutil.copy(bundle / "packages" / package.name, package)
    done = run(course, **offline)
    assert done.returncode == 0, done.stderr
    belongs_to(course)


def test_uv_comes_by_its_checksum(index: str, course: Path, tmp_path: Path) -> None:
    lock = course / "requirements.lock"
    name, before = (
        re.search(r"^uv==(\S+)", lock.read_text(), re.MULTILINE),
        lock.read_text().partition("uv=="),
    )
    assert name
    wrong = re.sub("sha256:[0-9a-f]{64}", f"sha256:{'0' * 64}", before[2])
    lock.write_text(before[0] + before[1] + wrong, encoding="utf-8")
    done = run(course, **settings(tmp_path, index))
    assert done.returncode == 1
    assert "DO NOT MATCH THE HASHES" in done.stderr
    assert "The Python packages could not be installed.\nNext: see above" in done.stderr
    assert not (course / ".venv/bin/uv").exists()


def test_other_projects_settings_stay_outside_and_a_copy_is_set_up_anew(
    index: str, course: Path, tmp_path: Path
) -> None:
    (others := tmp_path / "another project").mkdir()
    network = settings(tmp_path, index)
    done = run(course, **network | another_project(others))
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in others.iterdir()) == ["ctypes"]
    belongs_to(course)
    again = run(course, **network | {"PYTHON": "/nowhere/python"})
    assert (again.returncode, again.stdout + again.stderr) == (0, ""), "all is there"

    copy = Path(shutil.copytree(course, tmp_path / "copy", symlinks=True))
    done = run(copy, **network)
    assert done.returncode == 0, done.stderr
    belongs_to(copy)
    belongs_to(course)

    program = copy / ".venv/bin/python"
    program.unlink()
    program.symlink_to("/nowhere/python3")
    done = run(copy, **network)
    assert done.returncode == 0, done.stderr
    belongs_to(copy)
