"""As whom PostgreSQL runs: it refuses root, and a user whose number has no name on this computer.

Root lets an ordinary account run it, with root's right to reach the files and nothing else. In a namespace
of its own any other user looks like one with a name, and so does root where it may not become another user.
"""

import os
import subprocess
from functools import cache
from pathlib import Path

from backstage.stack.environment import of_child
from backstage.stack.service import StartFailed

_INSTEAD = "Next: the same as an ordinary user of this computer, or with Docker: docker compose up --build"


@cache
def run_as() -> list[str]:
    """Return what goes before a command of PostgreSQL; nothing for an ordinary user.

    Raises
    ------
    StartFailed
        If this user can't run it in any way.
    """
    import pwd  # not on Windows, where this module is imported too

    numbers = {account.pw_uid for account in pwd.getpwall()} - {0}
    here, known = os.geteuid(), min(numbers, default=None)
    if here in numbers:
        return []
    namespace = ["unshare", "--user", f"--map-user={known}", f"--map-group={known}", "--"]
    for way in (namespace, _as_account(known)) if here == 0 else (namespace,):
        if known and _works(way):
            return way
    refused = f"PostgreSQL wants an ordinary user with a name, and number {here} can't become one here. "
    raise StartFailed(refused + _INSTEAD)


def _as_account(number: int | None) -> list[str]:
    reach = [f"--{kind}-caps=+dac_override" for kind in ("inh", "ambient")]
    become = [f"--reuid={number}", f"--regid={number}", "--clear-groups"]
    return ["setpriv", *become, *reach, "--pdeathsig=INT", "--"]  # a new user forgets the one set before


def _works(way: list[str]) -> bool:
    try:
        return subprocess.run([*way, "true"], env=of_child(), capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def hand_over(folder: Path) -> None:
    """Give root's database files to whom PostgreSQL runs as; an earlier start may have run it another way."""
    if os.geteuid() != 0:
        return
    become = [word for word in run_as() if word.startswith("--reuid=")]
    owner = int(become[0].partition("=")[2]) if become else 0
    if folder.stat().st_uid != owner:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
