"""As whom PostgreSQL runs: it refuses root, and a user whose number has no name on this computer.

Root lets an ordinary account run it, with root's right to reach the files and nothing else. In a namespace
of its own any other user looks like one with a name.
"""

import os
import subprocess
from functools import cache
from pathlib import Path

from backstage.stack.environment import of_child
from workshop.errors import WorkshopError

_INSTEAD = "Next: the same as an ordinary user of this computer, or with Docker: docker compose up --build"


@cache
def run_as() -> list[str]:
    """Return what goes before a command of PostgreSQL; nothing for an ordinary user.

    Raises
    ------
    WorkshopError
        If this user can't run it in any way.
    """
    here, known = os.geteuid(), _accounts()
    if here in known:
        return []
    number = min(known, default=None)
    if here == 0:
        # `access` sees that right too, with which PostgreSQL looks for its programs; a new user forgets the
        # signal that was set before.
        reach = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
        become = [f"--reuid={number}", f"--regid={number}", "--clear-groups", "--pdeathsig=INT"]
        way = ["setpriv", *reach, *become, "--"]
    else:
        way = ["unshare", "--user", f"--map-user={number}", f"--map-group={number}", "--"]
    if not _works(way):
        refused = f"PostgreSQL wants an ordinary user with a name, and number {here} can't become one here. "
        raise WorkshopError(refused + _INSTEAD)
    return way


def _accounts() -> set[int]:
    """Return the numbers of those who have a name on this computer, without root."""
    import pwd  # not on Windows, where this module is imported too

    return {account.pw_uid for account in pwd.getpwall()} - {0}


def _works(way: list[str]) -> bool:
    try:
        return subprocess.run([*way, "true"], env=of_child(), capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


def hand_over(folder: Path) -> None:
    """Give root's database files, such as copied ones, to the account that PostgreSQL runs as."""
    if os.geteuid() == 0 and folder.stat().st_uid != (owner := min(_accounts())):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
