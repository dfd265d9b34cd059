"""A folder laid out as conda-forge lays out its packages, made of the servers of this machine."""

import re
import shutil
from pathlib import Path

from backstage.stack import binaries


def make_prefix(prefix: Path) -> Path:
    """Fill a folder with programs that run from there; what they only read may be links."""
    (prefix / "bin").mkdir(parents=True)
    (prefix / "conda-meta").mkdir()
    _postgresql(prefix)
    _erlang(prefix)
    _rabbitmq(prefix)
    return prefix


def _postgresql(prefix: Path) -> None:
    original = binaries.find("initdb").parent
    for name in ("initdb", "postgres"):
        shutil.copy(original / name, prefix / "bin")
    (prefix / "lib").mkdir()
    for module in original.with_name("lib").iterdir():
        (prefix / "lib" / module.name).symlink_to(module)
    extensions = prefix / "share" / "extension"
    extensions.mkdir(parents=True)
    (extensions / "postgis.control").touch()


def _erlang(prefix: Path) -> None:
    """Its launcher has the place of Erlang written into it, as conda does when it installs."""
    original = Path(shutil.which("erl") or "").resolve().parent.parent
    erlang = prefix / "lib" / "erlang"
    for part in original.iterdir():
        if part.name == "lib":
            erlang.joinpath("lib").symlink_to(part)
        else:
            shutil.copytree(part, erlang / part.name, symlinks=True)
    for launcher in (erlang / "bin" / "erl", *erlang.glob("erts-*/bin/erl")):
        text = re.sub(r"^( *ROOTDIR)=.*", rf'\1="{erlang}"', launcher.read_text(), flags=re.MULTILINE)
        launcher.write_text(text)
    (prefix / "bin" / "erl").symlink_to("../lib/erlang/bin/erl")


def _rabbitmq(prefix: Path) -> None:
    """RabbitMQ's own folder as it is; ``bin`` has a wrapper that only works where it was installed."""
    original = binaries.find("rabbitmq-server").resolve().parent.parent
    home = prefix / "lib" / "rabbitmq"
    home.mkdir()
    for part in original.iterdir():
        if part.name == "sbin":
            shutil.copytree(part, home / part.name)
        else:
            (home / part.name).symlink_to(part)
    wrapper = prefix / "bin" / "rabbitmq-server"
    wrapper.write_text("#!/bin/sh\necho 'This is the wrapper' >&2\nexit 1\n")
    wrapper.chmod(0o755)
