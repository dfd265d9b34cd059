"""Nothing is lost and nothing stored twice while all breaks; ``make chaos`` sends 10,000 tasks."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.faults import timetable
from tests.integration.machine import ROOT
from tests.messages import MALFORMED


def chaos(file: Path, *options: str, seconds: float = 1200) -> dict[str, Any]:
    """Make a run in a process of its own, and return what it found."""
    command = [sys.executable, "-m", "tests.faults.chaos", "--json", str(file), *options]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        shown, _ = process.communicate(timeout=seconds)
    except BaseException:
        process.terminate()  # it ends its stack before it ends
        process.wait(240)
        raise
    print(shown)  # pytest shows it if the test fails
    assert file.exists(), shown
    return json.loads(file.read_text()) | {"code": process.returncode}


def test_nothing_is_lost_and_nothing_twice(tmp_path):
    found = chaos(tmp_path / "result.json", "--tasks", "400", "--few", "--seed", "3", "--pace", "70")
    tally = found["tally"]
    assert (tally["accepted"], tally["rows"]) == (400, 400)
    assert (tally["lost"], tally["twice"], tally["dead"], tally["strangers"]) == ([], 0, [], 0)
    assert (tally["malformed"], tally["not_refused"]) == (len(MALFORMED), [])
    assert found["ended"] == [], "no worker was stopped by a message"
    assert tally["used"] == 0, "no fault used a retry"
    assert sorted(fault["kind"] for fault in found["faults"]) == sorted(kinds(timetable.FEW))
    assert all(fault["in_flight"] > 0 for fault in found["faults"])
    assert found["good"]
    assert found["code"] == 0


def kinds(faults: dict[str, int]) -> list[str]:
    return [kind for kind, count in faults.items() for _ in range(count)]
