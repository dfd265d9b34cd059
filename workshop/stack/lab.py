"""JupyterLab, with Flower's and RabbitMQ's pages inside."""

import os
import sys
import urllib.request
from pathlib import Path

from workshop.settings import ROOT
from workshop.stack.service import NotReady, Service
from workshop.stack.site import Site


def command(site: Site) -> list[str]:
    """Return the command of JupyterLab; what it is told stands in ``jupyter_config.py``."""
    return [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--config={Path(__file__).with_name('jupyter_config.py')}",
        f"--ServerApp.port={site.ports['lab']}",
        f"--ServerApp.root_dir={ROOT}",
    ]


def environment(site: Site) -> dict[str, str]:
    """Return an environment with the token, and in which a terminal finds the command `workshop`."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return os.environ | {"JUPYTER_TOKEN": site.token, "PATH": path}


def probe(site: Site) -> None:
    """Ask JupyterLab's server for its status, with the token."""
    address = f"http://127.0.0.1:{site.ports['lab']}/api/status?token={site.token}"
    try:
        urllib.request.urlopen(address, timeout=2).close()
    except OSError as error:
        raise NotReady(str(error)) from error


SERVICE = Service("lab", command, probe, environment=environment)
