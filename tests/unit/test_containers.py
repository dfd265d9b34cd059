"""One stack out of what several containers say of themselves, and what a container refuses."""

import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from backstage.classroom import central
from backstage.cli import main
from backstage.stack import breaking, containers, control, doctor, jupyterlab, plan, shutdown, status
from backstage.stack.site import USUAL_PORTS, Site
from workshop import state_folder
from workshop.errors import WorkshopError

Say = Callable[..., None]


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("WORKSHOP_STATE", str(tmp_path / "state"))
    monkeypatch.setenv(
        "WORKSHOP_PUBLISHED", "postgis=5433 rabbitmq=5673 management=15673 flower=5556 lab=8889"
    )
    monkeypatch.setattr(socket, "gethostname", lambda: "here")
    return state_folder.state_dir()


@pytest.fixture
def say(state: Path) -> Iterator[Say]:
    """Let a container say how its services are; its supervisor lives until the test ends."""
    with ExitStack() as living:

        def say(host: str, lives: bool = True, follows: object = None, **services: str) -> None:
            conditions = {
                name: {"state": state, "message": f"as {host} sees it", "machine": host, "restarts": 0}
                for name, state in services.items()
            }
            told = {"pid": 1, "ports": USUAL_PORTS, "matches": follows, "services": conditions}
            state_folder.write(f"stack@{host}.json", told)
            if lives:
                lock = living.enter_context((state / f"lock@{host}").open("a"))
                fcntl.flock(lock, fcntl.LOCK_EX)

        yield say


def states() -> dict[str, str]:
    stack = containers.running()
    assert stack is not None
    return {name: service["state"] for name, service in stack["services"].items()}


def test_it_is_a_container_where_ports_are_published(monkeypatch: pytest.MonkeyPatch) -> None:
    assert containers.inside()
    assert containers.published_ports()["lab"] == 8889
    monkeypatch.delenv("WORKSHOP_PUBLISHED")
    assert not containers.inside()
    assert containers.own("stack.json") == "stack.json"


def test_a_file_of_its_own() -> None:
    assert containers.own("stack.json") == "stack@here.json"
    assert containers.own("lock") == "lock@here"
    assert containers.own("worker1.log") == "worker1@here.log"


def test_all_containers_make_one_stack(say: Say) -> None:
    say("b", postgis="ready", rabbitmq="ready", worker1="starting")
    say("c", postgis="ready", rabbitmq="ready", lab="ready")
    say("a", postgis="ready", rabbitmq="ready", flower="broken")
    assert states() == {
        "postgis": "ready",
        "rabbitmq": "ready",
        "flower": "broken",
        "lab": "ready",
        "worker1": "starting",
    }
    assert list(states())[:4] == ["postgis", "rabbitmq", "flower", "lab"]


def test_a_second_worker_is_called_after_its_container(say: Say) -> None:
    say("a", worker1="ready")
    say("b", worker1="starting", worker2="ready")
    assert states() == {"worker1": "ready", "worker1@b": "starting", "worker2": "ready"}
    assert status.workers_ready() == 2


def test_a_container_that_is_gone_says_nothing(say: Say, state: Path) -> None:
    say("gone", lives=False, worker1="ready")
    assert containers.running() is None
    say("here", lab="ready")
    assert states() == {"lab": "ready"}
    containers.forget_the_gone()
    assert [file.name for file in state.glob("stack@*")] == ["stack@here.json"]


def test_a_container_that_ends_at_this_moment_says_nothing(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    say("ends", worker1="ready")
    say("stays", lab="ready")
    read = state_folder.read
    monkeypatch.setattr(state_folder, "read", lambda name: {} if name == "stack@ends.json" else read(name))
    assert states() == {"lab": "ready"}


def test_a_supervisor_that_died_says_nothing(say: Say, state: Path) -> None:
    say("gone", lives=False, worker1="ready")
    (state / "lock@gone").touch()
    assert containers.running() is None


@pytest.mark.parametrize(
    ("second", "agreed"), [({"settings": {}}, {"settings": {}}), ({"settings": 1}, None)]
)
def test_settings_hold_once_all_workers_follow_them(second: object, agreed: object, say: Say) -> None:
    say("a", follows={"settings": {}}, worker1="ready")
    say("b", follows=second, worker1="ready")
    say("c", follows="what the lab follows does not count", lab="ready")
    stack = containers.running()
    assert stack is not None
    assert stack["matches"] == agreed


@pytest.mark.parametrize(("part", "code"), [("ready", 0), ("broken", 1), ("starting", 1)])
def test_the_health_check(part: str, code: int, say: Say, capsys: pytest.CaptureFixture[str]) -> None:
    say("here", postgis="ready", worker1=part)
    assert containers.main() == code
    assert f"worker1    {part}" in capsys.readouterr().out


def test_a_container_without_a_supervisor_is_not_healthy(say: Say) -> None:
    assert containers.main() == 1
    say("here", lives=False, worker1="ready")
    assert containers.main() == 1


def test_addresses_are_those_of_the_host(say: Say) -> None:
    say("here", postgis="ready", rabbitmq="ready", flower="ready", lab="ready")
    state_folder.write("token.json", {"token": "abc"})
    inside = status.running_site()
    assert inside is not None
    assert inside.broker_url == "amqp://celery_user:secret@rabbitmq:5672/celery_app"
    assert inside.published().flower_url == "http://127.0.0.1:5556/flower"
    said = status.addresses()
    assert "http://127.0.0.1:8889/lab/tree/notebooks/00-start-here.ipynb?token=abc" in said
    assert "http://127.0.0.1:15673" in said
    assert "host 127.0.0.1, port 5433" in said


def test_without_containers_inside_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORKSHOP_PUBLISHED")
    own = Site(Path(), {"lab": 9999}, "")
    assert own.published() == own


def test_the_plan_watches_what_other_containers_run(say: Say) -> None:
    wanted = plan.services(("lab",))
    assert list(wanted) == ["postgis", "rabbitmq", "lab"]
    own = Site(state_folder.state_dir(), USUAL_PORTS, "")
    assert [name for name, service in wanted.items() if not service.command(own)] == ["postgis", "rabbitmq"]
    assert "--ServerApp.ip=0.0.0.0" in jupyterlab.command(own)


def test_a_worker_of_another_container_is_asked_by_its_name() -> None:
    command = plan.service("worker1@there", "there").command(Site(state_folder.state_dir(), USUAL_PORTS, ""))
    assert command[command.index("-n") + 1] == "worker1@there"


def test_a_folder_of_someone_else_is_told_with_the_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    owner = state_folder.ROOT.stat()
    with pytest.raises(WorkshopError) as failed:
        control._begin(("worker",), print)
    assert f"\nCOURSE_UID={owner.st_uid}\nCOURSE_GID={owner.st_gid}\n" in str(failed.value)
    assert "Next: write these two lines into the file .env" in str(failed.value)


@pytest.mark.parametrize(("part", "kept"), [("lab", False), ("worker", True)])
def test_settings_end_with_the_lab(part: str, kept: bool, state: Path) -> None:
    state_folder.write("settings.json", {"pace": 20})
    control._begin((part,), print)
    assert (state / "settings.json").exists() == kept


@pytest.mark.parametrize(
    ("purge", "command"), [(False, "docker compose down"), (True, "docker compose down -v")]
)
def test_down_is_for_the_host(purge: bool, command: str) -> None:
    with pytest.raises(WorkshopError) as refused:
        shutdown.down(print, purge)
    assert str(refused.value).endswith(command)


def test_breaking_is_for_the_host(capsys: pytest.CaptureFixture[str]) -> None:
    breaking.restart_database()
    said = capsys.readouterr().out
    assert said.startswith("Nothing was broken: the services run in containers")
    assert "docker compose kill worker" in said


def test_a_central_queue_is_for_the_instructor() -> None:
    with pytest.raises(WorkshopError, match="workshop scale 3"):
        central.start()


def test_the_doctor_looks_for_no_programs() -> None:
    assert not [finding for finding in doctor.examine() if "found /" in finding.text]


@pytest.mark.parametrize(
    ("asked", "shown"),
    [
        ("worker", {"worker1@a", "worker1@b"}),
        ("worker1", {"worker1@a", "worker1@b"}),
        ("worker1@b", {"worker1@b"}),
        ("lab", {"lab@c"}),
    ],
)
def test_a_log_by_its_name_or_its_part(asked: str, shown: set[str], state: Path) -> None:
    (state / "logs").mkdir()
    every = ("worker1@a", "worker1@b", "lab@c")
    for name in every:
        (state / "logs" / f"{name}.log").write_text(f"a line of {name}\n")
    said = CliRunner().invoke(main, ["logs", asked]).output
    assert {name for name in every if f"a line of {name}\n" in said} == shown


def test_a_log_that_is_not_there_is_named(state: Path) -> None:
    (state / "logs").mkdir()
    (state / "logs" / "lab@c.log").touch()
    done: Any = CliRunner().invoke(main, ["logs", "flower"])
    assert done.exit_code == 2
    assert "There is no log of flower. Logs: lab@c" in done.output
    assert "Next: in a terminal of your own computer: docker compose logs flower" in done.output


def test_the_first_of_two_writers_wins(state: Path) -> None:
    state_folder.write("token.json", {"token": "first"}, replace=False)
    state_folder.write("token.json", {"token": "second"}, replace=False)
    assert state_folder.read("token.json") == {"token": "first"}
    assert {path.name for path in state.iterdir()} == {state_folder.MARK, "token.json"}
    state_folder.write("token.json", {"token": "third"})
    assert state_folder.read("token.json") == {"token": "third"}
