"""On Windows only the services run elsewhere. `tests.windows` plays Windows, once for all tests here."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from workshop.machine import ROOT

ALONE = {"jupyter_config.py", "__main__.py"}
"""Files that are run, not imported."""
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "workshop").rglob("*.py")
    if path.name not in ALONE
)
STARTS = ("up", "up --detach", "demo")
OTHERS = ("--help", "hint 1", "solution 2", "progress", "down", "restore")
PLAY = """
import tests.windows, importlib, json, sys
from traceback import format_exception_only
seen = {}
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except Exception as error:
        seen[name] = format_exception_only(error)
from click.testing import CliRunner
from workshop.cli import main
for command in json.loads(sys.argv[2]):
    done = CliRunner().invoke(main, command.split())
    seen[command] = [done.exit_code, done.output, repr(done.exception)]
print(json.dumps(seen))
"""


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Import every module and run every command in one process; return what came of it."""
    ours = {"WORKSHOP_STATE": str(tmp_path_factory.mktemp("state")), "PYTHONUTF8": "1"}
    ours["WORKSHOP_BROKER_URL"] = "amqp://nobody:nothing@127.0.0.1:1/nowhere"
    arguments = [json.dumps(each) for each in (MODULES, [*STARTS, *OTHERS, "check 1"])]
    done = subprocess.run(
        [sys.executable, "-c", PLAY, *arguments],
        cwd=ROOT,
        env=os.environ | ours,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("name", MODULES)
def test_every_module_can_be_imported(seen: dict[str, Any], name: str) -> None:
    assert name not in seen, seen[name]


@pytest.mark.parametrize("command", STARTS)
def test_a_start_says_where_the_services_run(seen: dict[str, Any], command: str) -> None:
    code, said, error = seen[command]
    assert (code, error) == (1, "SystemExit(1)")
    assert "On Windows the services run in Docker or in WSL2. Next: docker compose up --build" in said


@pytest.mark.parametrize("command", OTHERS)
def test_what_needs_no_service_works(seen: dict[str, Any], command: str) -> None:
    assert seen[command][0] == 0, seen[command]


def test_a_check_says_that_the_environment_is_at_fault(seen: dict[str, Any]) -> None:
    _, said, error = seen["check 1"]
    assert error in ("None", "SystemExit(1)")
    assert "\nNext: " in said


@pytest.mark.parametrize("code", ["import fcntl", "import os; os.killpg", "from signal import SIGHUP"])
def test_the_play_refuses_what_windows_lacks(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", f"import tests.windows\nexec({code!r}, {{'__name__': 'workshop'}})"],
        cwd=ROOT,
        capture_output=True,
        encoding="utf-8",
    )
    assert done.stderr.splitlines()[-1].startswith(("ModuleNotFoundError", "AttributeError", "ImportError"))
