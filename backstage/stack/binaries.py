"""Where this machine keeps the programs of PostgreSQL and RabbitMQ.

Conda is asked first (the environment that is active, then the one whose Python runs this), then Debian,
then Homebrew, then the PATH. Only the standard library is used, so that the set-up can run this file before
anything is installed: it prints the Debian packages that are missing, one a line.
"""

import os
import shutil
import sys
from ctypes.util import find_library
from importlib.util import find_spec
from pathlib import Path

PROGRAMS = {
    "initdb": ("bin", "usr/lib/postgresql/*/bin", "opt/postgresql*/bin"),
    "rabbitmq-server": ("lib/rabbitmq/sbin", "usr/lib/rabbitmq/bin", "opt/rabbitmq/sbin"),
}
"""In which folders conda, Debian and Homebrew keep the programs: RabbitMQ itself, not a wrapper around it."""

_PACKAGES = {"initdb": "postgresql-postgis", "rabbitmq-server": "rabbitmq-server"}


class Missing(Exception):
    """A program that the course needs is not on this machine."""


def find(program: str) -> Path:
    """Return one of `PROGRAMS`; `initdb` is that of a PostgreSQL that has PostGIS.

    Raises
    ------
    Missing
        If there is none.
    """
    if folders := _folders(program):
        return folders[0] / program
    raise Missing(f"{_PACKAGES[program]} was not found")


def missing_packages() -> list[str]:
    """Return the Debian packages that would bring what this machine lacks."""
    wanted = [package for program, package in _PACKAGES.items() if not _folders(program)]
    if find_spec("ensurepip") is None and sys.base_prefix == "/usr":  # Debian's own Python
        wanted.append(f"python{sys.version_info.major}.{sys.version_info.minor}-venv")
    return wanted


def _folders(program: str) -> list[Path]:
    """Return where a program is, the best place first; the newest of several versions comes first."""
    in_conda, in_debian, in_homebrew = PROGRAMS[program]
    folders = [prefix / in_conda for prefix in _conda()]
    for root, pattern in (("/", in_debian), ("/opt/homebrew", in_homebrew), ("/usr/local", in_homebrew)):
        folders += sorted(Path(root).glob(pattern), reverse=True)
    if found := shutil.which(program):
        folders.append(Path(found).resolve().parent)
    there = [folder for folder in folders if (folder / program).exists()]
    return [folder for folder in there if program != "initdb" or _has_postgis(folder)]


def _conda() -> list[Path]:
    """Return conda's environments: the active one, and this Python's own, which need not be active."""
    active, own = os.environ.get("CONDA_PREFIX"), Path(sys.prefix)
    return [*([Path(active)] if active else []), *([own] if (own / "conda-meta").is_dir() else [])]


def _has_postgis(folder: Path) -> bool:
    version = folder.parent.name
    shares = (folder.parent / "share", folder.parent / "share/postgresql", f"/usr/share/postgresql/{version}")
    return any(Path(share, "extension/postgis.control").exists() for share in shares)


def _has_program_or_library(package: str) -> bool:
    if package.startswith("lib"):
        library = package.removeprefix("lib").rstrip("0123456789")
        return sys.platform != "linux" or find_library(library) is not None
    return shutil.which(package) is not None


if __name__ == "__main__":
    print(
        "\n".join(missing_packages() + [name for name in sys.argv[1:] if not _has_program_or_library(name)])
    )
