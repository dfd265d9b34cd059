"""What JupyterLab is told, also where the services did not start, or a browser comes from elsewhere."""

from pathlib import Path

import pytest
from traitlets.config import Config, PyFileConfigLoader

from backstage.stack.jupyterlab import CONFIG
from workshop import state_folder

pytestmark = pytest.mark.usefixtures("state")


def config() -> Config:
    return PyFileConfigLoader("jupyter_config.py", path=str(CONFIG)).load_config()


def test_it_opens_without_services_and_knows_their_usual_ports() -> None:
    state_folder.write("token.json", {"token": "t"})
    servers = config().ServerProxy.servers
    assert servers["flower"]["port"] == 5555
    assert servers["flower"]["request_headers_override"] == {"Authorization": "Basic Zmxvd2VyOnQ="}
    assert servers["rabbitmq"]["port"] == 15672
    assert servers["wall"]["command"][-2:] == ["--port", "{port}"]


def test_a_terminal_keeps_the_path_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/bash")
    assert config().ServerApp.terminado_settings == {"shell_command": ["/bin/bash"]}  # no login shell


def test_the_layout_is_ours_until_it_is_the_persons(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTERHUB_SERVICE_PREFIX", "/user/ann/")
    [layout] = Path(config().LabApp.workspaces_dir).iterdir()
    assert '"/user/ann/wall/panel"' in layout.read_text()
    layout.write_text("{}")
    config()
    assert layout.read_text() == "{}"


def test_a_page_of_another_container_is_reached_by_socat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKSHOP_PUBLISHED", "lab=8889")
    servers = config().ServerProxy.servers
    assert servers["flower"]["command"][-1] == "TCP:flower:5555"
    assert servers["rabbitmq"]["command"][-1] == "TCP:rabbitmq:15672"
    assert "port" not in servers["flower"]


def test_only_the_page_of_this_codespace_may_talk_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "allow_origin" not in config().ServerApp
    monkeypatch.setenv("CODESPACES", "true")
    monkeypatch.setenv("CODESPACE_NAME", "parakeet")
    assert config().ServerApp.allow_origin == "https://parakeet-8888.app.github.dev"
