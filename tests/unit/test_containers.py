"""What each container runs, how all are when they are asked, and what a container refuses."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from backstage.challenges import doctor, health
from backstage.classroom import central
from backstage.classroom.card import Card
from backstage.cli import main
from backstage.stack import compose, containers, jupyterlab, plan, shutdown, status, workers
from backstage.stack.central_config import new_id
from backstage.stack.service import NotReady, Service
from backstage.stack.site import Site, new_site
from workshop import settings, state_folder
from workshop.delivery import asking
from workshop.delivery.asking import code_digest
from workshop.errors import WorkshopError

Answering = Callable[..., None]

SAVED = code_digest()
OTHER = "00000000"
"""The digest of other code than what is saved."""


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(
        "WORKSHOP_PUBLISHED", "postgis=5433 rabbitmq=5673 management=15673 flower=5556 lab=8889"
    )
    monkeypatch.setenv("WORKSHOP_BROKER_URL", "amqp://celery_user:secret@rabbitmq:5672/celery_app")
    monkeypatch.setenv("WORKSHOP_DATABASE_URL", "postgresql://geopython:geopython@postgis/geopython-db")
    monkeypatch.setenv("WORKSHOP_PROCESSES", "2")
    return state_folder.state_dir()


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let services answer as told, and workers live, each with its code and its number of processes."""

    def answering(silent: str = "", **workers: tuple[str, int]) -> None:
        living = {name.replace("_at_", "@"): each for name, each in workers.items()}

        def trouble(service: Service, site: Site) -> str | None:
            return "nobody answers" if service.name == silent else None

        reports = {
            name: {"command": plan.workers.worker(1, number).command(new_site())}
            for name, (_, number) in living.items()
        }
        monkeypatch.setattr(Service, "trouble", trouble)
        monkeypatch.setattr(compose, "living", lambda url: {name: code for name, (code, _) in living.items()})
        monkeypatch.setattr(compose, "ask", lambda *_, **__: reports)

    return answering


def test_it_is_a_container_where_ports_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    assert containers.inside()
    assert containers.published_ports()["lab"] == 8889
    monkeypatch.delenv("WORKSHOP_PUBLISHED")
    assert not containers.inside()


def test_each_service_is_asked(services: Answering) -> None:
    services(silent="flower", worker1_at_a=(SAVED, 2))
    assert status.services() == {
        "postgis": "ready",
        "rabbitmq": "ready",
        "flower": "starting",
        "lab": "ready",
        "worker1@a": "ready",
    }
    assert "flower     starting  nobody answers" in status.status()


def test_a_worker_is_called_after_its_container(services: Answering) -> None:
    services(worker1_at_a=(SAVED, 2), worker1_at_b=(SAVED, 2), worker1_at_c=(SAVED, 2))
    assert list(status.services())[4:] == ["worker1@a", "worker1@b", "worker1@c"]


def test_all_states_stand_in_one_column(services: Answering) -> None:
    services(worker1_at_d9446d02a565=(SAVED, 2))
    assert len({line.index(" ready") for line in status.status().splitlines()}) == 1


@pytest.mark.parametrize(
    ("living", "expected"),
    [
        ({}, "starting"),
        ({"worker1_at_a": (SAVED, 2)}, "ready"),
        ({"worker1_at_a": (OTHER, 2)}, "starting"),
        ({"worker1_at_a": (SAVED, 8)}, "starting"),
    ],
    ids=["none lives", "as wished", "other code", "other processes"],
)
def test_a_worker_is_ready_once_it_runs_what_is_wished(
    living: dict[str, tuple[str, int]], expected: str, services: Answering
) -> None:
    services(**living)
    assert status.services()["worker1@a" if living else "worker1"] == expected


def test_a_worker_with_processes_is_not_ready_where_threads_are_wished(services: Answering) -> None:
    services(worker1_at_a=(SAVED, 8))
    settings.change(processes=8)
    assert status.services()["worker1@a"] == "ready"
    settings.change(processes=8, profile="fast")
    assert status.services()["worker1@a"] == "starting"


def test_a_worker_that_takes_two_messages_ahead_is_not_ready_where_others_are_wished(
    services: Answering,
) -> None:
    settings.change(prefetch=2)
    services(worker1_at_a=(SAVED, 2))
    assert status.services()["worker1@a"] == "ready"
    for other in (1, 50, None):
        settings.change(prefetch=other)
        assert status.services()["worker1@a"] == "starting"


def test_a_worker_whose_code_does_not_compile_is_still_the_one_before(
    services: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    services(worker1_at_a=(OTHER, 2))
    monkeypatch.setattr(compose, "syntax_error", lambda: "workshop/tasks.py, line 3: invalid syntax")
    assert "worker1@a  ready     still the version before: workshop/tasks.py, line 3" in status.status()


def test_workers_are_counted_in_each_container(services: Answering) -> None:
    services(worker1_at_a=(SAVED, 2), worker2_at_a=(SAVED, 2), worker1_at_b=(SAVED, 2))
    assert status.services()["worker2@a"] == "stopping"
    settings.change(workers=2)
    found = status.services()
    assert {name: state for name, state in found.items() if name.startswith("worker")} == {
        "worker1@a": "ready",
        "worker2@a": "ready",
        "worker1@b": "ready",
        "worker2@b": "starting",
    }


def test_without_a_database_no_worker_is_known(services: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    services(silent="postgis")

    def living(url: str) -> dict[str, str]:
        raise psycopg.OperationalError

    monkeypatch.setattr(compose, "living", living)
    assert status.services()["worker1"] == "starting"


@pytest.mark.parametrize(("name", "code"), [("worker1_at_here", 0), ("worker1_at_there", 1)])
def test_a_container_is_healthy_if_its_worker_lives(
    name: str, code: int, services: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "here")
    services(**{name: (SAVED, 2)})
    monkeypatch.setattr(asking, "living", compose.living)
    assert containers.main() == code


def test_addresses_are_those_of_the_host(services: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    services()
    monkeypatch.setattr(os, "getppid", lambda: 0)  # also where the tests are what a container's init started
    state_folder.write("token.json", {"token": "abc"})
    inside = status.running_site()
    assert inside is not None
    assert inside.broker_url == "amqp://celery_user:secret@rabbitmq:5672/celery_app"
    assert inside.published().flower_url == "http://127.0.0.1:5556/flower"
    said = CliRunner().invoke(main, ["up"]).output
    assert "http://127.0.0.1:8889/lab/tree/notebooks/00-start-here.ipynb?token=abc" in said
    assert "http://127.0.0.1:15673" in said
    assert "host 127.0.0.1, port 5433" in said


def test_without_containers_inside_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKSHOP_PUBLISHED")
    own = Site(Path(), {"lab": 9999}, "")
    assert own.published() == own


@pytest.fixture
def ran(services: Answering, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What containers did: what they made at PostGIS and RabbitMQ, and what they became."""
    services()
    did: list[str] = []
    for name in ("postgis", "rabbitmq"):
        finish = lambda site, name=name: did.append(f"made {name}")  # noqa: E731
        monkeypatch.setitem(plan.FIXED, name, replace(plan.FIXED[name], finish=finish))
    monkeypatch.setattr(os, "getppid", lambda: 1)
    monkeypatch.setattr(
        os, "execve", lambda program, command, environment: did.append(" ".join(command[1:4]))
    )
    return did


@pytest.mark.parametrize(("part", "program"), [("lab", "-m jupyterlab"), ("flower", "-m celery -A")])
def test_a_container_makes_what_is_missing_and_becomes_its_program(
    part: str, program: str, ran: list[str]
) -> None:
    done = CliRunner().invoke(main, ["up", part])
    assert done.exit_code == 0, done.output
    assert ran[:2] == ["made postgis", "made rabbitmq"]
    assert ran[2].startswith(program)
    assert ("token=" in done.output) == (part == "lab")
    assert "--ServerApp.ip=0.0.0.0" in jupyterlab.command(new_site())


def test_the_workers_container_supervises_workers_only() -> None:
    assert list(plan.services(("worker",))) == ["worker1"]


@pytest.mark.parametrize(("part", "kept"), [("lab", False), ("flower", True)])
def test_settings_end_with_the_lab(part: str, kept: bool, ran: list[str], state: Path) -> None:
    settings.change(pace=20)
    CliRunner().invoke(main, ["up", part])
    assert (state / "settings.json").exists() == kept


def test_a_container_runs_its_program_once(ran: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 0)  # as of what Docker starts there later
    settings.change(pace=20)
    for again in (["worker"], ["lab"], ["--detach", "lab"]):
        ran.clear()
        assert "are running already" in CliRunner().invoke(main, ["up", *again]).output
        assert (ran, settings.pace()) == ([], 20)


def test_a_worker_waits_for_another_one_of_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    worker, there = workers.worker(1, 2), dict[str, str]()
    monkeypatch.setattr(workers, "living", lambda url: there)
    worker.prepare(new_site())
    there[f"worker1@{workers.machine_name()}"] = SAVED
    monkeypatch.setattr(workers, "_GONE", 0)
    with pytest.raises(NotReady, match="another worker is at work as worker1@"):
        worker.prepare(new_site())


def test_a_folder_of_someone_else_is_told_with_the_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    owner = state_folder.ROOT.stat()
    with pytest.raises(WorkshopError) as failed:
        compose.prepare()
    assert f"\nCOURSE_UID={owner.st_uid}\nCOURSE_GID={owner.st_gid}\n" in str(failed.value)
    assert "Next: write these two lines into the file .env" in str(failed.value)


@pytest.mark.parametrize(
    ("purge", "command"), [(False, "docker compose down"), (True, "docker compose down -v")]
)
def test_down_is_for_the_host(purge: bool, command: str) -> None:
    with pytest.raises(WorkshopError) as refused:
        shutdown.down(print, purge)
    assert str(refused.value).endswith(command)


def test_a_card_of_this_machine_names_its_containers() -> None:
    parts: Any = (1, new_id(), "0" * 16)
    card = Card(*parts, "127.0.0.1", 5672, 5432, central.new_central(1).until)
    assert (card.broker.host, card.database.host) == ("rabbitmq", "postgis")
    far = Card(*parts, "192.168.8.10", 5672, 5432, card.until)
    assert (far.broker.host, far.database.host) == ("192.168.8.10", "192.168.8.10")


def test_a_class_is_not_for_containers() -> None:
    with pytest.raises(WorkshopError, match="no other machine reaches them(.|\n)*workshop class rehearse"):
        central.start(address="192.168.8.10")


def test_the_doctor_looks_for_no_programs(services: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    services()
    monkeypatch.setattr(health, "environment", lambda: None)
    assert not [seen for seen, _ in doctor.examine() if "found /" in seen]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [("worker1@3f2a", "logs worker"), ("machine02", "logs worker"), ("flower", "logs flower"), ("", "logs")],
)
def test_logs_are_dockers(asked: str, shown: str) -> None:
    done = CliRunner().invoke(main, ["logs", *filter(None, [asked])])
    assert done.exit_code == 3
    assert done.output.strip().endswith(f"docker compose {shown}")


def test_all_containers_have_one_token() -> None:
    with ThreadPoolExecutor() as pool:
        assert len({site.token for site in pool.map(lambda _: new_site(), range(8))}) == 1
