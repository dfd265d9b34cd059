"""A machine unlike others: in a namespace of its own."""

import os
import subprocess
import sys
from dataclasses import dataclass

from tests.integration.machine import Machine


@dataclass
class OddMachine(Machine):
    """A machine whose commands run behind others, such as ``unshare``.

    Attributes
    ----------
    before : tuple of str
        What goes before each command.
    """

    before: tuple[str, ...] = ()

    def popen(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.before, sys.executable, "-m", "backstage", *arguments],
            env=self.environment | environment,
            cwd=self.course,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


IS_ROOT = os.geteuid() == 0

NAMELESS = ("unshare", "--user", "--map-user=54321", "--map-group=54321")

ROOT_ALONE = ("unshare", "--user", "--map-root-user")
"""Root, and no other user."""
