"""A classroom machine without network: sets the course up from a bundle, looks at it, and ends it by Ctrl-C.

It runs in a process of its own, behind the command that cuts the network, because nobody outside can reach
the services then.
"""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

ONE_TASK = """
from workshop import live
from workshop.tasks import do_task
do_task.delay(325_200, 673_500)
print(live.watch(quiet=True))
"""


def main(course: Path, bundle: str) -> None:
    """Do what the README says, and show what came of it."""
    make = subprocess.Popen(
        ["make", "lab", f"OFFLINE={bundle}", f"PYTHON={sys.executable}"],
        cwd=course,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    assert make.stdout
    shown = ""
    try:
        while "READY" not in shown:
            line = make.stdout.readline()
            if not line:
                sys.exit(f"It ended before all was ready, after it said:\n{shown}")
            print(line, end="")
            shown += line
        look(course, shown)
    finally:
        if make.poll() is None:
            os.killpg(make.pid, signal.SIGINT)
        print(make.stdout.read())
        make.wait(240)


def look(course: Path, shown: str) -> None:
    """Open JupyterLab and run a task."""
    found = re.search(r"JupyterLab +(\S+)", shown)
    assert found, shown
    with urllib.request.urlopen(found[1], timeout=120) as page:
        print("The page says:", *re.findall("<title>(.*?)</title>", page.read().decode()))
    subprocess.run([".venv/bin/python", "-c", ONE_TASK], cwd=course, check=True, timeout=240)


if __name__ == "__main__":
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    main(Path(sys.argv[1]), sys.argv[2])
