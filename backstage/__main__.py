"""The command ``workshop``, also as ``python -m backstage``: looks at its Python first, then hands over.

This file is read by Pythons that are too old, and before anyone knows which libraries are there.
"""

import os
import site
import sys
from pathlib import Path

OLDEST = (3, 11)


def main() -> None:
    """Run the command; say in a sentence what this Python lacks."""
    if sys.version_info < OLDEST:
        _refuse("The course needs Python 3.11 or newer", "sh scripts/setup.sh, then .venv/bin/workshop")
    _refuse_another_folder()
    _leave_out_other_projects()
    try:
        from backstage.cli import main as run
    except (ImportError, SyntaxError) as error:
        inside = "WORKSHOP_PUBLISHED" in os.environ
        step = "docker compose up --build" if inside else "sh scripts/setup.sh"
        _refuse(f"The course's Python packages are incomplete ({error})", step)
    try:
        run(prog_name="workshop")
    except OSError as error:  # such as a full disk, or a folder that can't be written
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # Python would try once more to write what is left
        _fail(f"Error: {error}. Next: workshop doctor")


def _refuse_another_folder() -> None:
    """Stop a copied command: it names the first folder's Python, and would speak to that one's services."""
    own = Path(sys.argv[0]).resolve().parent.parent
    if (own / "pyvenv.cfg").exists() and not own.samefile(sys.prefix):
        _refuse(
            f"The folder of {own} was copied, and its packages belong to the first one", "sh scripts/setup.sh"
        )


def _leave_out_other_projects() -> None:
    """Start again without the variables and the folder that make a Python import other people's modules."""
    from backstage.stack.environment import is_allowed

    foreign = [name for name in os.environ if name.startswith("PYTHON") and not is_allowed(name)]
    if os.name == "posix" and (foreign or site.ENABLE_USER_SITE):
        rest = {name: value for name, value in os.environ.items() if name not in foreign}
        own = [sys.executable, *sys.orig_argv[1:]]
        os.execve(sys.executable, own, {**rest, "PYTHONNOUSERSITE": "1"})


def _refuse(what: str, step: str) -> None:
    version = sys.version.split()[0]
    _fail(f"Error: {what}. This is Python {version}, {sys.executable}.\nNext: {step}")


def _fail(sentence: str) -> None:
    """End with the exit code that blames the environment, see `backstage.cli.terminal`."""
    print(sentence, file=sys.stderr)
    sys.exit(3)


if __name__ == "__main__":
    main()
