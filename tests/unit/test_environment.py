"""What the course's programs are told, and what of a person's environment never reaches them."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from backstage.stack import environment, http, rabbitmq
from backstage.stack.ports import USUAL_PORTS
from backstage.stack.site import Site
from workshop import state_folder

FOREIGN = {
    "CELERY_BROKER_URL": "redis://localhost/0",
    "PGSSLMODE": "require",
    "PGHOSTADDR": "10.1.2.3",
    "FLOWER_PORT": "tcp://10.0.0.1:5555",
    "RABBITMQ_NODE_PORT": "77",
    "ERL_FLAGS": "-bad",
    "JUPYTER_CONFIG_DIR": "/somewhere",
    "IPYTHONDIR": "/somewhere",
    "PYTHONPATH": "/somewhere",
    "PYTHONHOME": "/somewhere",
    "GIT_DIR": "/somewhere",
    "LD_LIBRARY_PATH": "/somewhere",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_another_project_set_reaches_no_child(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, FOREIGN[name])
    assert environment.of_child().get(name) != FOREIGN[name]


@pytest.mark.parametrize(
    "name",
    ["PATH", "LC_TIME", "https_proxy", "SSL_CERT_FILE", "WORKSHOP_PACE", "CONDA_PREFIX", "BINDER_LAUNCH_HOST"]
    + ["JUPYTERHUB_SERVICE_PREFIX", "CODESPACE_NAME", "MALLOC_ARENA_MAX"],
)
def test_what_the_course_or_its_cloud_needs_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "a value")
    assert environment.of_child()[name] == "a value"


def test_each_permission_has_a_reason() -> None:
    assert all(environment.ALLOWED.values())


def test_jupyter_and_python_keep_to_the_state_folder() -> None:
    own = environment.of_child()
    folders = [own[name] for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")]
    assert all(Path(folder).is_relative_to(state_folder.state_dir()) for folder in folders)
    assert own["PYTHONNOUSERSITE"] == "1"
    assert not Path(own["PGPASSFILE"]).exists()


def test_rabbitmq_reads_nothing_that_was_set_for_another_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(rabbitmq, "find", lambda program: tmp_path / program)
    told = rabbitmq.environment(Site(tmp_path, USUAL_PORTS, ""))
    for name in ("CONFIG_FILE", "CONFIG_FILES", "ADVANCED_CONFIG_FILE", "ENABLED_PLUGINS_FILE"):
        assert Path(told[f"RABBITMQ_{name}"]).is_relative_to(tmp_path)
    assert told["RABBITMQ_CONF_ENV_FILE"] == "/dev/null"


def test_exceptions_from_the_proxy_stay_and_loopback_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "intranet, 10.0.0.7")
    told = environment.of_child()
    assert told["no_proxy"] == told["NO_PROXY"] == "intranet, 10.0.0.7,127.0.0.1,localhost,::1"


@pytest.fixture
def page() -> Iterator[str]:
    """Yield the address of a page on this machine."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"here")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_no_proxy_sees_what_the_course_asks_its_own_pages(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with importlib.reload(http).open_page(page, timeout=5) as answer:  # proxies are read once, at the start
        assert answer.read() == b"here"


def test_importing_the_course_takes_its_addresses_from_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    code = "import workshop, os; print([name for name in os.environ if name.startswith(('PG', 'CELERY_'))])"
    told = environment.of_child() | {"PGSERVICE": "x", "CELERY_BROKER_URL": "redis://localhost"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=state_folder.ROOT, env=told, capture_output=True, text=True
    )
    assert done.stdout == "[]\n", done.stderr
