"""On other people's computers the command says a sentence at once, never a traceback; without services."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.computers.computer import WORKSHOP, Computer

FOREIGN = "raise SystemExit('a module of another project was imported')\n"
OLD = (
    "import sys, runpy; sys.version_info = (3, 10, 4, 'final', 0); sys.version = '3.10.4 (main)'; "
    "sys.argv[0] = 'workshop'; runpy.run_module('backstage', run_name='__main__')"
)
USER_SITE = f"lib/python3.{sys.version_info.minor}/site-packages"

COMPUTERS = {
    "other projects' variables and modules, a narrow terminal, no folder for temporary files": Computer(
        {
            "CELERY_BROKER_URL": "redis://localhost/0",
            **{"PGSSLMODE": "require", "PGSERVICE": "x", "PGHOSTADDR": "10.1.2.3"},
            **{"http_proxy": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9"},
            **{"PYTHONPATH": "{folder}", "PYTHONUSERBASE": "{folder}", "HOME": "{folder}"},
            **{"PYTHONSTARTUP": "{folder}/kombu.py", "PYTHONWARNINGS": "error", "PYTHONOPTIMIZE": "2"},
            **{"TMPDIR": "/nowhere", "COLUMNS": "10", "TERM": "dumb"},
        },
        files={"kombu.py": FOREIGN, "click.py": FOREIGN, f"{USER_SITE}/click.py": FOREIGN},
        command=["ledger"],
    ),
    "a repository that a git hook names": Computer(
        {"GIT_DIR": "{folder}/other", "GIT_INDEX_FILE": "{folder}/index"},
        "RabbitMQ or PostGIS does not run here: squares and queues stay as they are.",
        ["reset", "1", "--dry-run"],
        code=0,
    ),
    "an address with a typing mistake": Computer(
        {"WORKSHOP_BROKER_URL": "amqp:/celery_user:secret@localhost/celery_app"},
        "The broker's address is not like amqp://user:password@host:5672/name",
        ["ledger"],
    ),
    # Homes, folders, terminals
    "no programs are found, and conda's prefix is gone": Computer(
        {"PATH": "", "CONDA_PREFIX": "{folder}/nowhere"},
        "The services of this course are not running",
        ["doctor"],
    ),
    "no home is named, and few files may be open": Computer(
        {}, unset=["HOME"], program=["sh", "-c", 'ulimit -n 16; exec "$@"', "sh", *WORKSHOP]
    ),
    "the state folder is a file": Computer(
        {"WORKSHOP_STATE": "{folder}/file"}, "{folder}/file is a file", files={"file": ""}
    ),
    "a file that a power cut damaged": Computer(
        {},
        "{folder}/state/stack.json is damaged",
        files={"state/made-by-the-course": "", "state/stack.json": "{"},
    ),
    "the state folder can't be written": Computer(
        {"WORKSHOP_STATE": "/proc/workshop", "HOME": "/proc"}, "/proc/workshop"
    ),
    "an unknown language": Computer({"LC_ALL": "xx_YY.nonsense"}, "A loop repeats", ["hint", "1"], code=0),
    "letters of 1963": Computer(
        {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}, "do_task.delay", ["solution", "1"], code=0
    ),
    # Pythons
    "a Python that is too old": Computer(
        {},
        "The course needs Python 3.11 or newer. This is Python 3.10.4",
        program=[sys.executable, "-c", OLD],
    ),
    "a Python without the packages": Computer(
        {}, "packages are incomplete (No module named", program=[sys.executable, "-S", "-m", "backstage"]
    ),
}


@pytest.mark.parametrize("name", COMPUTERS)
def test_a_person_knows_what_to_do(name: str, tmp_path: Path) -> None:
    computer = COMPUTERS[name]
    done = computer.run(tmp_path)
    assert computer.says.format(folder=tmp_path) in done.stdout
    assert "Traceback" not in done.stdout
    assert done.returncode == computer.code, done.stdout


def test_a_full_disk_behind_the_output(tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*WORKSHOP, "--help"], stdout=full, stderr=subprocess.PIPE, env=Computer({}).environment(tmp_path)
        )
    assert done.stderr.decode().startswith("Error: [Errno 28] No space left on device. Next: ")
    assert done.returncode == 3


def test_a_folder_with_other_modules_is_the_current_one(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text(FOREIGN)
    (tmp_path / "workshop").mkdir()
    (tmp_path / "workshop" / "__init__.py").write_text(FOREIGN)
    done = subprocess.run(
        [*WORKSHOP, "status"],
        cwd=tmp_path,
        env=Computer({}).environment(tmp_path),
        capture_output=True,
        text=True,
    )
    assert done.stderr == "Error: The services are not running. Next: make lab, or workshop up\n"
