"""What JupyterLab is told. Jupyter runs this file and provides `get_config`.

The stack starts JupyterLab with it. Where somebody else does, as on Binder, the folder of this file is in
``JUPYTER_CONFIG_PATH``; what stands in the command line wins. It opens also if the services did not start.
"""

import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Any

from jupyterlab_server.workspaces_handler import WorkspacesManager

from backstage.stack import cloud
from backstage.stack.jupyterlab import CONFIG
from backstage.stack.site import HOST, USUAL_PORTS, Site
from backstage.stack.status import running_site
from workshop.state_folder import read, state_dir

c = get_config()  # type: ignore[name-defined]  # noqa: F821

c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = os.name == "posix" and os.geteuid() == 0
c.LabApp.default_url = "/lab/tree/notebooks/00-start-here.ipynb"

# A terminal has the command `workshop`: a login shell, which Jupyter takes otherwise, may set another PATH.
if os.name == "posix":
    c.ServerApp.terminado_settings = {"shell_command": [os.environ.get("SHELL") or "sh"]}

# After a reset, the server refuses what an old page saves. The course's own notebooks are trusted.
c.ServerApp.contents_manager_class = "backstage.stack.contents.StarterContents"

# The list of files shows what an attendee works with. The rest opens all the same: File, Open from Path.
c.ContentsManager.hide_globs.extend(
    [
        *("LICENSE", "Makefile", "constraints.txt", "docker-compose.yml", "environment.yml"),
        *("pyproject.toml", "requirements.lock", "backstage", "benchmarks", "bundle", "docker", "scripts"),
        *("tests", "*.egg-info"),
    ]
)

# Nothing reaches for the internet.
c.LabApp.news_url = None
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.extension_manager = "readonly"

# Nor for language servers: the search runs npm, which spins for ever where the home can't be written.
c.LanguageServerManager.autodetect = False


def layouts() -> Path:
    """Return the folder of layouts, with one to begin with: notebook 00, and the panel beside it."""
    folder = state_dir() / "jupyter" / "lab" / "workspaces"
    if not folder.exists():
        course = (CONFIG / "layout.json").read_text(encoding="utf-8")
        WorkspacesManager(str(folder)).save("default", course.replace("BASE_URL", cloud.below()))
    return folder


c.LabApp.workspaces_dir = str(layouts())


def do_not_store(response: Any) -> Any:
    """Keep browsers from storing RabbitMQ's pages; without this they answer 412 behind a proxy."""
    response.headers["Cache-Control"] = "no-store"
    response.headers.pop("Etag", None)
    return response


def _reached(name: str) -> dict[str, Any]:
    """Return how a page is reached: a port of this machine, or of another container, to which socat leads."""
    if not _site.hosts:
        return {"command": [], "port": _site.ports[name]}
    return {
        "command": ["socat", f"TCP-LISTEN:{{port}},bind={HOST},fork,reuseaddr", f"TCP:{_site.place(name)}"]
    }


_site = running_site() or Site(state_dir(), USUAL_PORTS, read("token.json").get("token", ""))
_flower_login = b64encode(f"flower:{_site.token}".encode()).decode()
if cloud.in_codespaces():
    c.ServerApp.allow_origin = cloud.origin()
c.ServerProxy.servers = {
    "flower": {
        **_reached("flower"),
        "absolute_url": True,
        "request_headers_override": {"Authorization": f"Basic {_flower_login}"},
        "new_browser_tab": False,
        "launcher_entry": {"title": "Flower"},
    },
    "rabbitmq": {
        **_reached("management"),
        "new_browser_tab": False,
        "rewrite_response": do_not_store,
        "launcher_entry": {"title": "RabbitMQ"},
    },
    "wall": {
        "command": [sys.executable, "-m", "backstage", "class", "wall", "--port", "{port}"],
        "timeout": 60,
        "request_headers_override": {"Host": "localhost"},
        "new_browser_tab": False,
        "launcher_entry": {"title": "Wall"},
    },
}
