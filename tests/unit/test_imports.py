"""Every module can be imported on each system, and where no services run, a start says where they do."""

import os
import subprocess
import sys

import pytest
from click.testing import CliRunner

from backstage.cli import main
from workshop import state_folder

NOWHERE = {"WORKSHOP_BROKER_URL": "amqp://nobody:nothing@127.0.0.1:1/nowhere"}
ALONE = ("jupyter_config.py", "__main__.py")
"""Files that are run, not imported."""
MODULES = sorted(
    ".".join(path.relative_to(state_folder.ROOT).with_suffix("").parts).removesuffix(".__init__")
    for room in ("workshop", "backstage")
    for path in (state_folder.ROOT / room).rglob("*.py")
    if path.name not in ALONE
)


def test_every_module_can_be_imported() -> None:
    """On Windows too: there the workflow runs this."""
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run(
        [sys.executable, "-c", code, *MODULES],
        cwd=state_folder.ROOT,
        env=os.environ | NOWHERE,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["up", "up --detach", "demo"])
def test_on_windows_a_start_says_where_the_services_run(
    command: str, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path))
    monkeypatch.setattr(state_folder, "WINDOWS", True)
    done = CliRunner().invoke(main, command.split())
    assert done.exit_code == 3
    assert "On Windows the services run in Docker or in WSL2. Next: docker compose up --build" in done.output
