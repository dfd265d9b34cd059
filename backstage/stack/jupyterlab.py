"""JupyterLab, with Flower's and RabbitMQ's pages inside."""

import os
import sys
from pathlib import Path

from backstage.stack import containers
from backstage.stack.http import open_page
from backstage.stack.service import Service
from backstage.stack.site import HOST, Site
from workshop.state_folder import ROOT

CONFIG = Path(__file__).with_name("jupyter")
"""The folder with what JupyterLab is told: its server's settings and defaults."""

RESETS = "resets.json"
"""How often the course was reset; `contents` refuses to save a notebook that was opened before the last."""


def command(site: Site) -> list[str]:
    """Return the command of JupyterLab."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--config={CONFIG / 'jupyter_config.py'}",
        f"--ServerApp.ip={containers.listen(HOST)}",
        f"--ServerApp.port={site.ports['lab']}",
        f"--ServerApp.root_dir={ROOT}",
    ]


def environment(site: Site) -> dict[str, str]:
    """Return the token, our defaults, and a PATH that has the command `workshop`."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return {"JUPYTER_TOKEN": site.token, "JUPYTER_CONFIG_PATH": str(CONFIG), "PATH": programs}


def probe(site: Site) -> None:
    """Ask JupyterLab's server for its status, with the token."""
    open_page(f"http://{site.place('lab')}/api/status?token={site.token}", timeout=2).close()


SERVICE = Service("lab", command, probe, environment=environment)
