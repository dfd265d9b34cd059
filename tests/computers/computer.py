"""A computer as someone might have it, and the course's command run there."""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workshop.state_folder import ROOT

WORKSHOP = (str(Path(sys.executable).with_name("workshop")),)


@dataclass(frozen=True)
class Computer:
    """What is odd about a computer, and what the course must say there.

    Attributes
    ----------
    variables : dict of str to str
        What is set; ``{folder}`` stands for a folder of this test's own.
    says : str
        A part of what the command must show.
    command : sequence of str
        What the person types after ``workshop``.
    files : dict of str to str
        Files below that folder.
    unset : sequence of str
        What is not set.
    code : int
        The exit code.
    program : sequence of str
        What comes before the command.
    """

    variables: dict[str, str]
    says: str = "Error: The services are not running. Next: make lab, or workshop up"
    command: Sequence[str] = ("status",)
    files: dict[str, str] = field(default_factory=dict)
    unset: Sequence[str] = ()
    code: int = 3
    program: Sequence[str] = WORKSHOP

    def environment(self, folder: Path) -> dict[str, str]:
        """Return the whole environment, with the files in place."""
        for name, content in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content, encoding="utf-8")
        kept = {name: value for name, value in os.environ.items() if name not in self.unset}
        own = {"WORKSHOP_STATE": str(folder / "state"), "WORKSHOP_PORTS": "any"}
        return kept | own | {name: value.format(folder=folder) for name, value in self.variables.items()}

    def run(self, folder: Path, *command: str, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command of the course there; by default that of this computer."""
        return subprocess.run(
            [*self.program, *(command or self.command)],
            env=self.environment(folder),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=timeout,
        )
