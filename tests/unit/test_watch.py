"""Where the kernel hears of saved files, it is asked; where it does not, the files are looked at."""

from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from backstage.stack import watch

Mount = namedtuple("Mount", "mountpoint fstype")


@pytest.mark.parametrize(
    ("kind", "must"),
    [
        ("ext4", None),
        ("overlay", None),
        ("btrfs", None),
        ("9p", True),
        ("nfs4", True),
        ("virtiofs", True),
        ("fuse.grpcfuse", True),
        ("fuse.osxfs", True),
        ("fakeowner", True),
        ("smb3", True),
        ("vboxsf", True),
    ],
)
def test_the_kind_of_file_system_decides(
    kind: str, must: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = [
        Mount("/", "9p"),
        Mount("/course", kind),
        Mount("/course/workshop/data", "9p"),
        Mount("/c", "9p"),
    ]
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: mounts)
    assert watch._must_poll(Path("/course/workshop")) is must


def test_without_any_known_mount_the_setting_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [])
    assert watch._must_poll(Path("/course/workshop")) is None
