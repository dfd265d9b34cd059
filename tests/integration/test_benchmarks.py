"""The benchmark measures on servers of its own, beside another, and leaves nothing behind."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.machine import ROOT, Machine
from tests.waiting import hear_ctrl_c, wait_for

FEW = ("--rounds", "1", "--tasks", "20", "--only", "course", "--only", "course, fast")


@contextmanager
def benchmark(folder: Path) -> Iterator[subprocess.Popen[str]]:
    folder.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks", *FEW, "--results", str(folder / "results")],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(240)
        assert Machine(folder).processes() == set()


@pytest.mark.posix
@pytest.mark.nightly
def test_one_measures_while_another_is_interrupted(tmp_path):
    with benchmark(tmp_path / "one") as one, benchmark(tmp_path / "two") as two:
        wait_for(lambda: list((tmp_path / "two").glob("*/state/logs/worker1.log")), 120, "its first worker")
        two.send_signal(signal.SIGINT)
        shown, _ = two.communicate(timeout=240)
        assert two.returncode == 1, shown
        assert "Traceback" not in shown
        shown, _ = one.communicate(timeout=480)
        assert one.returncode == 0, shown
    left = [path.name for path in (tmp_path / "two").iterdir() if not path.name.startswith("pymp-")]
    assert not left, "neither results nor anything else, but what Python removes for its processes"
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["results"]

    found = json.loads((tmp_path / "one" / "results" / "speed.json").read_text())["rounds"]
    assert sorted((run["contender"], run["tasks"]) for run in found["runs"]) == [
        *(("2018 design", 20), ("2018 design", 200)),
        *(("course", 20), ("course", 200), ("course, fast", 20), ("course, fast", 200)),
    ]
    for run in found["runs"]:
        assert all(run[figure] > 0 for figure in ("end to end", "drain", "enqueue", "start-up", "memory")), (
            run
        )
