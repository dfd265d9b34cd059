"""What the engine says of the running containers: healthy, modest, and seen by this computer alone."""

import json
import shutil
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from backstage.stack.site import HOST
from tests.compose.project import ALWAYS, Project

STRICT = """
from kombu import Connection, Queue
from workshop.settings import broker_url
with Connection(broker_url()) as connection:
    Queue("of-yesterday", durable=False, exclusive=False, auto_delete=False)(connection).declare()
"""


def test_all_are_healthy(project: Project) -> None:
    assert project.is_healthy(), project.health()


def test_the_file_says_nothing_that_compose_does_not_know(project: Project) -> None:
    assert project.compose("config", "--quiet") == ""


def test_ports_are_published_on_this_computer_only(project: Project) -> None:
    published = [
        (binding["HostIp"], int(binding["HostPort"]))
        for container in project.inspect()
        for bindings in container["NetworkSettings"]["Ports"].values()
        for binding in bindings or []
    ]
    assert sorted(published) == sorted((HOST, port) for port in project.ports.values())
    listening = [each.laddr for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
    assert {place.ip for place in listening if place.port in project.ports.values()} <= {HOST}


def test_no_other_address_of_this_computer_answers(project: Project) -> None:
    ours = {each.address for card in psutil.net_if_addrs().values() for each in card if each.family == 2}
    for address in ours - {HOST}:
        for port in project.ports.values():
            with socket.socket() as trial:
                trial.settimeout(1)
                assert trial.connect_ex((address, port)) != 0, f"{address}:{port} answers"


def test_two_clones_are_two_projects(project: Project, tmp_path: Path) -> None:
    described = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        for file in ("docker-compose.yml", ".env"):
            shutil.copy(project.root / file, tmp_path / name)
        told = {key: value for key, value in project.environment.items() if not key.startswith("COMPOSE_")}
        command = ("docker", "compose", "config", "--format=json")
        done = subprocess.run(command, cwd=tmp_path / name, env=told, capture_output=True, check=True)
        described.append(json.loads(done.stdout))
    assert [each["name"] for each in described] == ["one", "two"]
    volumes = [{volume["name"] for volume in each["volumes"].values()} for each in described]
    assert volumes[0].isdisjoint(volumes[1])


@pytest.mark.parametrize("service", ALWAYS)
def test_nobody_in_a_container_is_root(service: str, project: Project) -> None:
    assert project.exec(service, "id", "-u").strip() != "0"
    [container] = project.inspect(service)
    table = project.run("docker", "top", container["Id"], "-eo", "pid,uid,comm").splitlines()
    assert len(table) > 1
    assert [line for line in table[1:] if line.split()[1] == "0"] == []


@pytest.mark.parametrize("service", ["worker", "flower", "lab"])
def test_the_owner_of_the_folder_runs_the_course(service: str, project: Project) -> None:
    assert project.exec(service, "id", "-u").strip() == str(project.owner)


@pytest.mark.parametrize("service", ALWAYS)
def test_limits_and_restarts_are_set(service: str, project: Project) -> None:
    [container] = project.inspect(service)
    assert 0 < container["HostConfig"]["Memory"] <= 3 * 2**30
    assert container["HostConfig"]["RestartPolicy"]["Name"] == "unless-stopped"
    assert not container["HostConfig"]["Privileged"]


def test_rabbitmq_refuses_what_a_later_one_will(project: Project) -> None:
    said = project.exec("lab", "python", "-c", STRICT, code=1)
    assert "INTERNAL_ERROR" in said
    assert "transient_nonexcl_queues" in said


def test_another_user_is_told_the_two_lines(project: Project) -> None:
    said = project.compose("run", "--rm", "--no-deps", "lab", code=3, COURSE_UID="4321", COURSE_GID="4321")
    assert f"The course's folder belongs to user {project.owner}, group {project.owner}." in said
    assert f"COURSE_UID={project.owner}\nCOURSE_GID={project.owner}\nThen: docker compose up --build" in said


def test_a_taken_port_is_named(project: Project) -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = str(other.getsockname()[1])
        command = ("run", "--rm", "--no-deps", "--service-ports", "lab", "true")
        said = project.compose(*command, code=1, LAB_PORT=port)
    assert f"{HOST}:{port}" in said
    explained = ("port is already allocated", "address already in use")
    assert any(sentence in said for sentence in explained), said
    example = (project.root / ".env.example").read_text(encoding="utf-8").replace("\n# ", " ")
    assert all(sentence in example for sentence in explained)
