"""On other people's computers the services start for real, whatever is set there."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.computers.computer import Computer
from tests.integration.machine import Machine

PROXY = "http://127.0.0.1:9"
JUPYTER = "c.ServerApp.token = 'mine'\nc.ServerApp.base_url = '/mine'\nc.ServerApp.port = 1\n"
KERNEL = '{"argv": ["/bin/false"], "display_name": "mine", "language": "python"}'

COMPUTERS = {
    "other projects' variables, and Jupyter settings of one's own": Computer(
        {
            "PGSSLMODE": "require",
            "PGSERVICE": "x",
            "PGHOSTADDR": "10.1.2.3",
            "PGOPTIONS": "-c nonsense=1",
            "RABBITMQ_NODE_PORT": "77",
            "RABBITMQ_CONFIG_FILE": "/nowhere",
            "ERL_FLAGS": "-bad",
            "ERL_LIBS": "/nowhere",
            "CELERY_BROKER_URL": "redis://localhost/0",
            "CELERY_RESULT_BACKEND": "redis://localhost/0",
            "FLOWER_PORT": "tcp://10.0.0.1:5555",
            "FLOWER_UNAUTHENTICATED_API": "true",
            "JUPYTER_CONFIG_DIR": "{folder}/.jupyter",
            "JUPYTER_PORT": "1",
            "JUPYTER_TOKEN": "mine",
            "PYTHONPATH": "{folder}",
            "PYTHONWARNINGS": "error",
            "PYTHONSTARTUP": "/nowhere",
            "PYTHONOPTIMIZE": "2",
            **{"LC_ALL": "tr_TR.UTF-8", "LANG": "xx_YY", "TZ": "Mars/Olympus", "HOME": "{folder}"},
            **{"http_proxy": PROXY, "HTTP_PROXY": PROXY, "ALL_PROXY": PROXY},
        },
        files={
            ".jupyter/jupyter_lab_config.py": JUPYTER,
            ".jupyter/jupyter_server_config.py": JUPYTER,
            ".local/share/jupyter/kernels/python3/kernel.json": KERNEL,
            "kombu.py": "raise SystemExit('another kombu')\n",
            "celery.py": "raise SystemExit('another celery')\n",
        },
        command=["postgis", "rabbitmq", "worker", "flower", "lab"],
    ),
    "a home that can't be written": Computer({"HOME": "/proc"}, command=["postgis", "lab"]),
}


@pytest.fixture(params=COMPUTERS)
def computer(request: pytest.FixtureRequest) -> Computer:
    return COMPUTERS[request.param]


@pytest.fixture
def machine(computer: Computer, tmp_path: Path) -> Iterator[Machine]:
    """Yield the machine of this computer; at the end nothing runs there."""
    machine = Machine(tmp_path / "state")
    yield machine
    computer.run(tmp_path, "down", "--purge")
    machine.until_gone(set(), 10)


def test_everything_gets_ready(computer: Computer, machine: Machine, tmp_path: Path) -> None:
    done = computer.run(tmp_path, "up", "--detach", *computer.command, timeout=300)
    assert "\nREADY\n" in done.stdout, done.stdout
    assert "Traceback" not in done.stdout
    assert done.returncode == 0
    states = {name: service["state"] for name, service in machine.stack()["services"].items()}
    assert set(states.values()) == {"ready"}
    foreign = {name: computer.environment(tmp_path)[name] for name in computer.variables if name not in KEPT}
    for service in states:
        told = psutil.Process(machine.service(service)["pid"]).environ()
        assert not {name for name, value in foreign.items() if told.get(name) == value}, service
    if "lab" in states:
        assert kernels(machine) == ["python3"]


KEPT = {"HOME", "LC_ALL", "LANG", "TZ", "http_proxy", "HTTP_PROXY", "ALL_PROXY"}
"""What the course passes on."""


def kernels(machine: Machine) -> list[str]:
    """Return the kernels that JupyterLab offers, if the course's own token lets one in."""
    token = json.loads((machine.state / "token.json").read_text())["token"]
    address = f"http://127.0.0.1:{machine.stack()['ports']['lab']}/api/kernelspecs?token={token}"
    with urllib.request.urlopen(address, timeout=10) as answer:
        specs = json.load(answer)["kernelspecs"]
    return [name for name, each in specs.items() if each["spec"]["argv"][0] != "/bin/false"]
