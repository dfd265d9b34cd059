"""Runs notebooks against services of their own and stores the outputs.

``python scripts/execute.py`` runs all, ``python scripts/execute.py 01-enqueue`` or
``python scripts/execute.py instructor/wall`` one of them.

The points come from a fixed seed, so that the stored outputs are the same each time, as the tests require.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from tqdm import tqdm

HERE = Path(__file__).parents[1] / "notebooks"
SEED = "2018"
LIMIT = 300
"""Seconds that one cell may take."""


def execute(path: Path) -> None:
    """Run one notebook and save it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=LIMIT,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,  # of a line that is written again and again, the last one
        resources={"metadata": {"path": str(path.parent)}},
    )
    client.execute()
    notebook.metadata["language_info"] = {"name": "python"}
    nbformat.write(notebook, path)


def main(names: list[str]) -> None:
    """Start the services, run the named notebooks, or all, and stop the services."""
    paths = [HERE / f"{name}.ipynb" for name in names] or [
        *sorted(HERE.glob("[0-9]*.ipynb")),
        *sorted(HERE.glob("instructor/*.ipynb")),
    ]
    workshop = [sys.executable, "-m", "backstage"]
    with tempfile.TemporaryDirectory() as state:
        os.environ |= {"WORKSHOP_STATE": state, "WORKSHOP_PORTS": "any", "WORKSHOP_SEED": SEED}
        os.environ["WORKSHOP_MACHINE"] = "laptop"
        try:
            subprocess.run([*workshop, "up", "--detach"], check=True)
            for path in tqdm(paths, unit=" notebooks"):
                execute(path)
        finally:
            subprocess.run([*workshop, "down", "--purge"], check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
