"""As whom PostgreSQL runs: it refuses root, and a user whose number has no name on this computer.

Root lets an ordinary account run it, with root's right to reach the files and nothing else. In a namespace
of its own a user without a name looks like one with a name.
"""

import os
import subprocess
from functools import cache
from pathlib import Path

import psutil

from backstage.stack.environment import of_child
from backstage.stack.texts import refusal

# `access` sees that right too, with which PostgreSQL looks for its programs.
_REACH = ["--securebits=+no_setuid_fixup", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


@cache
def run_as() -> list[str]:
    """Return what goes before a command of PostgreSQL; nothing for an ordinary user.

    Raises
    ------
    WorkshopError
        If this user can't become an ordinary one here.
    """
    here = os.geteuid()
    if here and psutil.Process().username() != str(here):  # it has a name
        return []
    account = _ordinary_account()
    # A new user forgets the signal that was set before.
    become = [f"--reuid={account}", f"--regid={account}", "--clear-groups", "--pdeathsig=INT"]
    way = ["setpriv", *_REACH, *become, "--"]
    if here:
        way = ["unshare", "--user", f"--map-user={account}", f"--map-group={account}", "--"]
    try:
        subprocess.run([*way, "true"], env=of_child(), capture_output=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        raise refusal("no-ordinary-user", number=here) from None
    return way


def _ordinary_account() -> int:
    import pwd  # not on Windows, where this module is imported too

    return min(account.pw_uid for account in pwd.getpwall() if account.pw_uid)


def hand_over(folder: Path) -> None:
    """Give root's database files, such as copied ones, to the account that PostgreSQL runs as."""
    if os.geteuid() == 0 and folder.stat().st_uid != (owner := _ordinary_account()):
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, owner, follow_symlinks=False)
